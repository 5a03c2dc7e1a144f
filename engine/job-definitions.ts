import { backupJob } from "./backup/backup-job.ts";
import { deletionJob } from "./deletion/deletion-job.ts";
import type { JobParts } from "./jobs/parts.ts";
import type { JobDefinition } from "./jobs/phase.ts";
import type { JobKind } from "./model.ts";
import { restoreJob } from "./restore/restore-job.ts";

/** The jobs this service knows: where the phases of each kind are plugged in. */
export function createJobDefinitions(parts: JobParts): Readonly<Record<JobKind, JobDefinition>> {
  return {
    backup: backupJob(parts),
    restore: restoreJob(parts),
    deletion: deletionJob(parts),
  };
}
