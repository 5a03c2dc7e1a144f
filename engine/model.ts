/** The engine's words. Imports nothing. The wire's names for states and phases are these very strings. */

export const jobStates = [
  "NOT_STARTED",
  "IN_PROGRESS",
  "COMPLETED",
  "PARTIALLY_FAILED",
  "FAILED",
  "TERMINATING",
] as const;
export type JobState = (typeof jobStates)[number];

export type BackupPhase = "PENDING" | "PRE_VALIDATION" | "SAVING_OBJECTS" | "CREATING_SNAPSHOTS" | "FINISHED";

/** What a restore does, in this order. */
export const restorePhases = [
  "PRE_VALIDATION",
  "STOPPING_APPS",
  "DELETING_OBJECTS",
  "DELETING_OBJECTS_PVC",
  "RESTORING_PVC",
  "RESTORING_OBJECTS",
  "STARTING_APPS",
] as const;

export type RestorePhase = "PENDING" | (typeof restorePhases)[number] | "FINISHED";

/** The selection of a backup to restore, its target, and the mode. */
export interface RestorePlan {
  readonly selection: Selection;
  readonly mode: RestoreMode;
  /** The namespace that the objects of a saved one go to, where that is another one. */
  readonly mapping: Readonly<Record<string, string>>;
  /** The storage class that claims of a saved one get, where that is another one. Not the caller's to say: a setting. */
  readonly storageClassMap?: Readonly<Record<string, string>>;
  /** With `remove-scratch`: the CRN of the scratch restore. */
  readonly scratchCrn?: string;
}

/** All of a backup, some of its namespaces, or single objects with what they need. */
export type Selection =
  | { readonly what: "all" }
  | { readonly what: "namespaces"; readonly namespaces: readonly string[] }
  | { readonly what: "objects"; readonly objects: readonly SelectedObject[] };

export interface SelectedObject {
  /** `Deployment`, or `deployments.apps`. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/**
 * `replace`: selected objects become as they were saved. `add`: missing ones are created, and nothing else touched.
 * `scratch`: they are created in new namespaces, beside the existing ones. `remove-scratch`: the objects of a scratch restore are removed.
 */
export type RestoreMode = "replace" | "add" | "scratch" | "remove-scratch";

/** The API shows no deletion's phase; the log does. */
export type DeletionPhase = "PENDING" | "DELETING_SNAPSHOTS" | "DELETING_ARCHIVE" | "FINISHED";

/** The API shows no copy's phase; the log does. */
export type CopyPhase = "PENDING" | "COPYING_VOLUMES" | "FINISHED";

/** The API shows no upkeep's phase; the log does. */
export type UpkeepPhase = "PENDING" | "CHECKING_COPIES" | "PRUNING_COPIES" | "FINISHED";

/** `copy`: the volumes' data of a backup is copied out of the storage system. `upkeep`: the repository of copies is checked and pruned. */
export type JobKind = "backup" | "restore" | "deletion" | "copy" | "upkeep";
export type JobPhase = BackupPhase | RestorePhase | DeletionPhase | CopyPhase | UpkeepPhase;

/** How many jobs there are of a kind, in a state, of an item: the control plane's namespace, or one that was asked for. */
export interface JobCount {
  readonly kind: JobKind;
  readonly state: JobState;
  readonly item: string;
  readonly count: number;
  /** When the latest of them was last moved on: of finished ones, when it was finished. */
  readonly lastUpdated: Date;
}

/** A warning or error of a job. `namespace` is empty for what belongs to no namespace. */
export interface Message {
  readonly namespace: string;
  readonly text: string;
  /** As docs/operations.md explains it; missing where that has no row for it, and in messages of earlier versions. */
  readonly code?: string;
  readonly timestamp: Date;
}

export interface Backup {
  readonly crn: string;
  /** The display name: the caller's, or one made from the time. */
  readonly name: string;
  /** The job's name, unique. */
  readonly job: string;
  readonly state: JobState;
  readonly phase: BackupPhase;
  readonly includedNamespaces: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly warnings: readonly Message[];
  readonly errors: readonly Message[];
}

export interface Restore {
  readonly crn: string;
  readonly backupCrn: string;
  readonly job: string;
  readonly state: JobState;
  readonly phase: RestorePhase;
  readonly includedNamespaces: readonly string[];
  readonly excludedResources: readonly string[];
  readonly successConditions: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly warnings: readonly Message[];
  readonly errors: readonly Message[];
}

/** A job in a list: without messages, as a list stays small however much went wrong. */
export type BackupSummary = Pick<Backup, "crn" | "name" | "state" | "phase" | "createdAt">;
export type RestoreSummary = Pick<
  Restore,
  "crn" | "backupCrn" | "state" | "phase" | "createdAt" | "includedNamespaces"
>;

/** Which part of a list. */
export interface PageRequest {
  /** How many at most; 0, or more than a page may hold, is as many as a page may hold. */
  readonly pageSize: number;
  /** The `nextToken` of the page before, of a list with the same filters; empty for the first page. */
  readonly startingToken: string;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Missing on the last page. */
  readonly nextToken?: string;
}

/** The authenticated caller, and the request's own id; both empty when unknown. They make a client's retry recognisable. */
export interface Caller {
  readonly name: string;
  readonly requestId: string;
}

/** A user as Kubernetes knows one. */
export interface User {
  readonly username: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  /** Further attributes from an authenticator, for an authorizer. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}
