import type { ControlPlaneConfig, FurtherObjects, RestoreConfig } from "../config.ts";
import { DrsError } from "../errors.ts";
import type { JobKind, RestorePlan } from "../model.ts";

/** The version written now. A program reads this and earlier ones, and refuses a newer one. */
const versions = { backup: 1, restore: 3, deletion: 1, copy: 1, upkeep: 1 } as const;

/** The scope of a backup. */
export interface BackupParameters {
  readonly version: typeof versions.backup;
  /** The first has to exist; each other one comes along where it exists. */
  readonly namespaces: readonly [string, ...string[]];
  /** Cluster-scoped objects that come along though nothing in the namespaces names them. */
  readonly furtherObjects: readonly FurtherObjects[];
}

/** The flags that say what a restore means. */
type RestoreMeaning = Pick<RestoreConfig, "statusOf" | "maxRefusedObjects" | "prefer" | "storageClassMap">;

/** The scope of a restore, and its success conditions. The saved objects are the backup's, and never change. */
export interface RestoreParameters extends RestoreMeaning {
  readonly version: typeof versions.restore;
  readonly plan: RestorePlan;
  /** The namespaces that it may touch, and what starts first. */
  readonly controlPlane: Omit<ControlPlaneConfig, "furtherObjects">;
}

/** A deletion has only its backup. */
export interface DeletionParameters {
  readonly version: typeof versions.deletion;
}

/** A copy has only its backup. */
export interface CopyParameters {
  readonly version: typeof versions.copy;
}

/** An upkeep is of what there is. */
export interface UpkeepParameters {
  readonly version: typeof versions.upkeep;
}

export interface JobParameters {
  readonly backup: BackupParameters;
  readonly restore: RestoreParameters;
  readonly deletion: DeletionParameters;
  readonly copy: CopyParameters;
  readonly upkeep: UpkeepParameters;
}

/** The flags that say what a job means. */
export interface ParameterFlags {
  readonly controlPlane: ControlPlaneConfig;
  readonly restore: RestoreMeaning;
}

/**
 * The task of a job, from a call and the flags of the process that records it; it stays so, whatever flags a later
 * process has that runs it. Deadlines, concurrency, and whether and for how long a restore rolls back are the
 * running process's: with them an operator helps a job that is stuck.
 */
export function parametersFrom(
  itemName: string,
  { controlPlane, restore }: ParameterFlags,
  plan = wholeInPlace,
): JobParameters {
  const { furtherObjects, ...own } = controlPlane;
  const isWhole = itemName === "" || itemName === own.namespace;
  const further = [own.vaultNamespace, ...own.furtherNamespaces].filter(
    (name) => name !== "" && name !== own.namespace,
  );
  return {
    backup: {
      version: versions.backup,
      namespaces: isWhole ? [own.namespace, ...new Set(further)] : [itemName],
      furtherObjects: isWhole ? furtherObjects : [],
    },
    restore: {
      version: versions.restore,
      plan,
      controlPlane: own,
      statusOf: restore.statusOf,
      maxRefusedObjects: restore.maxRefusedObjects,
      ...(restore.storageClassMap && { storageClassMap: restore.storageClassMap }),
      ...(restore.prefer && { prefer: restore.prefer }),
    },
    deletion: { version: versions.deletion },
    copy: { version: versions.copy },
    upkeep: { version: versions.upkeep },
  };
}

/** All of a backup, to where it was saved. */
export const wholeInPlace: RestorePlan = { selection: { what: "all" }, mode: "replace", mapping: {} };

/** The parameters in a job's row. */
export interface Recorded {
  readonly itemName: string;
  /** Null for a job that a service from before there were parameters has recorded. */
  readonly parameters: string | null;
}

/**
 * The parameters of a job when it was recorded; those of the flags for one that was recorded before there were
 * parameters. A restore of version 1 is one of all, in place; one of version 2 prefers snapshots, in the saved classes.
 * FAILED_PRECONDITION for parameters of another version.
 */
export function parametersOf<Kind extends JobKind>(
  kind: Kind,
  { itemName, parameters }: Recorded,
  flags: ParameterFlags,
): JobParameters[Kind] {
  if (parameters === null) return parametersFrom(itemName, flags)[kind];
  const found = JSON.parse(parameters) as JobParameters[Kind] | { readonly version: number };
  const newest = versions[kind];
  if (found.version === newest) return found as JobParameters[Kind];
  if (kind === "restore" && (found.version === 1 || found.version === 2))
    return { plan: wholeInPlace, ...found, version: versions.restore } as unknown as JobParameters[Kind];
  throw new DrsError(
    "FAILED_PRECONDITION",
    `the job has parameters of version ${found.version}, but this version of the service knows only version ${newest}: start the one that recorded it`,
    { id: "DRS-J004" },
  );
}
