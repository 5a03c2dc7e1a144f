import { DrsError } from "./errors.ts";
import type { JobDefinition, Phase } from "./jobs/phase.ts";
import type { JobKind, JobPhase } from "./model.ts";

/** The jobs this service knows: where the phases of backup, restore and deletion are plugged in. */
export function createJobDefinitions(): Readonly<Record<JobKind, JobDefinition>> {
  return {
    backup: notYet("PRE_VALIDATION"),
    restore: notYet("PRE_VALIDATION"),
    deletion: notYet("DELETING_SNAPSHOTS"),
  };
}

function notYet(name: JobPhase): JobDefinition {
  const phase: Phase = {
    name,
    run: () => Promise.reject(new DrsError("UNIMPLEMENTED", "this kind of job does nothing yet")),
  };
  return { phases: [phase], finish: () => Promise.resolve(), fail: () => Promise.resolve() };
}
