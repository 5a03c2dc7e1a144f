import { DrsError } from "../errors.ts";

/** What is said of a file of an archive that is not what was written. */
export function damage(file: string, reason: string, cause?: unknown): DrsError {
  return new DrsError("DATA_LOSS", `${file} is damaged: ${reason}; restore an older backup`, { cause });
}
