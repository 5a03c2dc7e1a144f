import type { BackupParameters } from "../jobs/parameters.ts";
import type { JobDeps } from "../jobs/deps.ts";

/** What the phases of a backup work with. */
export interface BackupDeps extends Omit<JobDeps, "controlPlane" | "restore"> {
  readonly parameters: BackupParameters;
}
