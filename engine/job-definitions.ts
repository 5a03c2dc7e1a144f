import { backupJob } from "./backup/backup-job.ts";
import { deletionJob } from "./deletion/deletion-job.ts";
import { DrsError } from "./errors.ts";
import type { JobParts } from "./jobs/parts.ts";
import type { JobDefinition } from "./jobs/phase.ts";
import type { JobKind } from "./model.ts";

/** The jobs this service knows: where the phases of each kind are plugged in. */
export function createJobDefinitions(parts: JobParts): Readonly<Record<JobKind, JobDefinition>> {
  return {
    backup: backupJob(parts),
    restore: {
      phases: [
        {
          name: "PRE_VALIDATION",
          run: () => Promise.reject(new DrsError("UNIMPLEMENTED", "this service cannot restore yet")),
        },
      ],
      finish: () => Promise.resolve(),
      fail: () => Promise.resolve(),
    },
    deletion: deletionJob(parts),
  };
}
