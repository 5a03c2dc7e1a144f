import type { ControlPlaneConfig, LimitsConfig, RestoreConfig } from "../config.ts";
import type { Archives } from "../archive/archives.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";

/** What every kind of job works with. */
export interface JobParts {
  readonly cluster: Cluster;
  readonly storage: ArchiveStorage;
  readonly archives: Archives;
  readonly controlPlane: ControlPlaneConfig;
  readonly restore: RestoreConfig;
  readonly limits: LimitsConfig;
}
