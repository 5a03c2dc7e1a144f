import type { BackupParameters } from "../jobs/parameters.ts";
import type { JobDeps } from "../jobs/deps.ts";

/** The collaborators of a backup's phases. */
export interface BackupDeps extends Omit<JobDeps, "controlPlane" | "restore"> {
  readonly parameters: BackupParameters;
}
