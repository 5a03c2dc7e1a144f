import type { ControlPlaneConfig, FurtherObjects, RestoreConfig } from "../config.ts";
import { DrsError } from "../errors.ts";
import type { JobKind } from "../model.ts";

/** Of what is written now. A program reads its own version, and refuses another one. */
const version = 1;

/** What a backup saves. */
export interface BackupParameters {
  readonly version: typeof version;
  /** The first has to exist; each other one comes along where it exists. */
  readonly namespaces: readonly [string, ...string[]];
  /** Cluster-scoped objects that come along though nothing in the namespaces names them. */
  readonly furtherObjects: readonly FurtherObjects[];
}

/** What a restore brings back, and when it counts as one. What is saved is the backup's, and never changes. */
export interface RestoreParameters extends Pick<RestoreConfig, "statusOf" | "maxRefusedObjects"> {
  readonly version: typeof version;
  /** The namespaces that it may touch, and what starts first. */
  readonly controlPlane: Omit<ControlPlaneConfig, "furtherObjects">;
}

/** A deletion is told all by its backup. */
export interface DeletionParameters {
  readonly version: typeof version;
}

export interface JobParameters {
  readonly backup: BackupParameters;
  readonly restore: RestoreParameters;
  readonly deletion: DeletionParameters;
}

/** The flags that say what a job means. */
export interface ParameterFlags {
  readonly controlPlane: ControlPlaneConfig;
  readonly restore: Pick<RestoreConfig, "statusOf" | "maxRefusedObjects">;
}

/**
 * What a job is asked to do by a call and the flags of the process that records it; it stays so, whatever flags a later
 * process has that runs it. Deadlines, how much goes on at once, and whether and for how long a restore goes back are the
 * running process's: they are how an operator helps a job that is stuck.
 */
export function parametersFrom(itemName: string, { controlPlane, restore }: ParameterFlags): JobParameters {
  const { furtherObjects, ...own } = controlPlane;
  const isWhole = itemName === "" || itemName === own.namespace;
  const further = [own.vaultNamespace, ...own.furtherNamespaces].filter(
    (name) => name !== "" && name !== own.namespace,
  );
  return {
    backup: {
      version,
      namespaces: isWhole ? [own.namespace, ...new Set(further)] : [itemName],
      furtherObjects: isWhole ? furtherObjects : [],
    },
    restore: { version, controlPlane: own, statusOf: restore.statusOf, maxRefusedObjects: restore.maxRefusedObjects },
    deletion: { version },
  };
}

/** What a job has in its row. */
export interface Recorded {
  readonly itemName: string;
  /** Null for a job that a service from before there were parameters has recorded. */
  readonly parameters: string | null;
}

/**
 * What a job was asked to do when it was recorded; what the flags say for one that was recorded before there were
 * parameters. FAILED_PRECONDITION for parameters of another version.
 */
export function parametersOf<Kind extends JobKind>(
  kind: Kind,
  { itemName, parameters }: Recorded,
  flags: ParameterFlags,
): JobParameters[Kind] {
  if (parameters === null) return parametersFrom(itemName, flags)[kind];
  const found = JSON.parse(parameters) as JobParameters[Kind] | { readonly version: number };
  if (found.version === version) return found as JobParameters[Kind];
  throw new DrsError(
    "FAILED_PRECONDITION",
    `the job has parameters of version ${found.version}, and this program knows version ${version} only: start the one that recorded it`,
  );
}
