import type { LimitsConfig, RestoreConfig } from "../config.ts";
import type { Archives } from "../archive/archives.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import type { RestoreParameters } from "./parameters.ts";

/** What every kind of job works with. What flags say of a job's meaning is here as its parameters have it. */
export interface JobDeps {
  readonly cluster: Cluster;
  readonly storage: ArchiveStorage;
  readonly archives: Archives;
  readonly controlPlane: RestoreParameters["controlPlane"];
  readonly restore: RestoreConfig;
  readonly limits: LimitsConfig;
}
