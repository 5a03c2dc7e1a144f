import { DrsError } from "../errors.ts";
import type { JobNotes } from "./phase.ts";

/**
 * A note that an earlier phase has made: to go on without it would be to take what is not known for nothing. INTERNAL,
 * naming the note, when it is not there.
 */
export function requiredNote<T>(notes: Pick<JobNotes, "get">, key: string): T {
  const value = notes.get<T>(key);
  if (value !== undefined) return value;
  throw new DrsError("INTERNAL", `the job's note ${key} is missing: report it, and start the job anew`);
}
