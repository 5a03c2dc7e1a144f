import type { CopiesConfig, LimitsConfig, RestoreConfig } from "../config.ts";
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
  /** Undefined when copies are off. */
  readonly copies: CopyWork | undefined;
}

/** What copies are made and read with. */
export interface CopyWork {
  readonly config: CopiesConfig;
  /** What opens the repository, the current one first. */
  readonly passwords: readonly string[];
  readonly times?: MoverTimes;
}

export interface MoverTimes {
  /** Between looks at how far a mover is; its end is seen at once. */
  readonly lookMs: number;
  /** A mover that comes no further for so long is given up. */
  readonly stallMs: number;
}
