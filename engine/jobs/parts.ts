import type { ControlPlaneConfig, LimitsConfig, RestoreConfig } from "../config.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";

/** What every kind of job works with. */
export interface JobParts {
  readonly cluster: Cluster;
  readonly storage: ArchiveStorage;
  readonly controlPlane: ControlPlaneConfig;
  readonly restore: RestoreConfig;
  readonly limits: LimitsConfig;
}
