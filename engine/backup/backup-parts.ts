import type { BackupParameters } from "../jobs/parameters.ts";
import type { JobParts } from "../jobs/parts.ts";

/** What the phases of a backup work with. */
export interface BackupParts extends Omit<JobParts, "controlPlane" | "restore"> {
  readonly parameters: BackupParameters;
}
