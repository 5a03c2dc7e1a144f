/**
 * The whole configuration of the engine, checked by its builder. Times are milliseconds, paths are absolute or
 * relative to the working folder. Nothing here is read from the environment, except that S3 and a kubeconfig's own
 * credential programs use their standard variables.
 */
export interface EngineConfig {
  /** The SQLite file; its folder is made if it is missing. */
  readonly databasePath: string;
  readonly storage: StorageConfig;
  /** How archives are encrypted. Without it they are not, and encrypted ones cannot be read. */
  readonly encryption?: EncryptionConfig;
  readonly cluster: ClusterConfig;
  readonly controlPlane: ControlPlaneConfig;
  readonly crn: CrnConfig;
  readonly restore: RestoreConfig;
  readonly limits: LimitsConfig;
  /** Where volumes' data is copied to after each backup; needs `encryption`. Without it it is not copied. */
  readonly copies?: CopiesConfig;
}

/** Where archives lie. */
export type StorageConfig = FolderStorageConfig | S3StorageConfig;

export interface FolderStorageConfig {
  readonly kind: "folder";
  /** Made if it is missing. */
  readonly path: string;
}

/** Credentials come from AWS's standard environment, profile or instance role. */
export interface S3StorageConfig {
  readonly kind: "s3";
  readonly bucket: string;
  /** Put before every key, without a slash at either end; empty for the bucket's top. */
  readonly prefix: string;
  /** The server's URL, for S3-compatible storage other than AWS's. */
  readonly endpoint?: string;
  readonly region?: string;
  /** The bucket is part of the path rather than of the host name. */
  readonly forcePathStyle: boolean;
}

export interface EncryptionConfig {
  /** An id and a key a line: the first one encrypts, all decrypt. */
  readonly keyFile: string;
  /** Whether the file is made, with a new key, when it is missing. */
  readonly makeKey: boolean;
  /** Whether a created key goes with the process, so that nobody needs a copy. */
  readonly isTemporary?: boolean;
  /** Whether archives that are not encrypted are read, too. */
  readonly readsUnencrypted: boolean;
}

/**
 * Which cluster: `server` when given; else the kubeconfig named here; else the standard search, which is `KUBECONFIG`,
 * `~/.kube/config`, and the pod's own account.
 */
export interface ClusterConfig {
  /** A kubeconfig file. */
  readonly kubeconfig?: string;
  /** A context of the kubeconfig; its current one when not given. */
  readonly context?: string;
  /** The plain `http://` URL of an API server that asks for no credentials: the simulated cluster. */
  readonly server?: string;
}

/** The control plane to back up and restore, by name. */
export interface ControlPlaneConfig {
  /** The main namespace: the one entity. */
  readonly namespace: string;
  /** The embedded vault's namespace; comes along where it exists. */
  readonly vaultNamespace: string;
  /** More namespaces that belong to the control plane; each comes along where it exists. */
  readonly furtherNamespaces: readonly string[];
  /** Cluster-scoped objects that belong to the control plane though nothing in its namespaces names them. */
  readonly furtherObjects: readonly FurtherObjects[];
  /** The embedded database's stateful set in the main namespace; started first where it exists. */
  readonly databaseStatefulSet: string;
}

/** Objects of a cluster-scoped kind: one of them by its name, or those that a label selector matches, or all. */
export interface FurtherObjects {
  /** `clusterissuers.cert-manager.io`; `*` for every kind, with a label. */
  readonly resource: string;
  readonly name?: string;
  readonly label?: string;
}

/** The parts of `crn:<partition>:drs:<region>:<account>:<type>:<uuid>` that do not change. */
export interface CrnConfig {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

export interface RestoreConfig {
  /** Whether a failed restore is rolled back. */
  readonly rollBack: boolean;
  /** How long, in milliseconds, a rollback retries objects that the cluster refuses. */
  readonly rollBackTimeout: number;
  /**
   * Kinds whose status is restored, as their resources' names (`widgets.example.com`): custom resources whose controllers
   * keep their state in it. Every other status is recreated by its controller.
   */
  readonly statusOf: readonly string[];
  /** A restore with more refused objects fails, and rolls back. */
  readonly maxRefusedObjects: number;
  /**
   * The namespace in which volumes are filled while the applications still run; empty for none: then they are filled when the
   * applications have stopped. The service's own when not given.
   */
  readonly fillNamespace?: string;
  /** The storage classes that saved ones are replaced by, where the cluster has others. None when not given. */
  readonly storageClassMap?: Readonly<Record<string, string>>;
  /** Where the data of a volume comes from that has a usable snapshot and a copy: `snapshot` when not given. */
  readonly prefer?: "snapshot" | "copy";
}

/** How volumes' data is copied out of the storage system: by restic, in pods ("movers") in the namespace of fillers. */
export interface CopiesConfig {
  /** A repository's URL, as `parseRepository` takes it. */
  readonly repository: string;
  /** The Secret beside the movers with the repository's credentials: their environment, and files under `/drs/credentials`. */
  readonly secret?: string;
  /** Has `restic` and `sh`. */
  readonly image: string;
  /** Volumes that are copied at once. */
  readonly concurrency: number;
  /** The request and limit of one mover, by resource: `memory` -> `1Gi`. */
  readonly resources: Readonly<Record<string, string>>;
  /** Labels of the nodes that movers run on. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  /** In which snapshots are made volumes again to be read; the saved claim's own when not given. */
  readonly storageClass?: string;
  /** Whether volumes that no snapshot can hold are copied while applications use them. */
  readonly readsLive: boolean;
  /** KiB a second that one mover sends at most. */
  readonly uploadLimit?: number;
  /** How the repository is looked after; not at all when not given. */
  readonly upkeep?: UpkeepConfig;
}

/** How a repository of copies is checked, and pruned. */
export interface UpkeepConfig {
  /** From the end of one to the beginning of the next, in milliseconds. */
  readonly everyMs: number;
  /** Into how many parts the data is divided, of which each check reads another one; 0: none is read. At most 256. */
  readonly parts: number;
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ */
export interface Toleration {
  readonly key: string;
  readonly operator: "Exists" | "Equal";
  readonly value?: string;
  readonly effect?: string;
}

/** Time limits of waits, in milliseconds; and limits of concurrency. */
export interface LimitsConfig {
  /** A hook that states no time limit of its own. */
  readonly hookTimeout: number;
  /** All snapshots of a backup becoming ready to use. */
  readonly snapshotTimeout: number;
  /** The pods of stopped workloads going away. */
  readonly podsStopTimeout: number;
  /** A deleted object whose finalizer nobody removes. */
  readonly finalizerTimeout: number;
  /** Restored workloads becoming ready. */
  readonly appsStartTimeout: number;
  /** Requests to the cluster in flight at once. */
  readonly clusterConcurrency: number;
  /** Jobs that wait for the ones before them. */
  readonly queuedJobs: number;
}
