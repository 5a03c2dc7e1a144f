import type { LimitsConfig, RestoreConfig } from "../config.ts";
import type { Archives } from "../archive/archives.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import type { RestoreParameters } from "./parameters.ts";

/** The collaborators of every kind of job. Flags that affect a job's meaning have the values of its parameters here. */
export interface JobDeps {
  readonly cluster: Cluster;
  readonly storage: ArchiveStorage;
  readonly archives: Archives;
  readonly controlPlane: RestoreParameters["controlPlane"];
  readonly restore: RestoreConfig;
  readonly limits: LimitsConfig;
}
