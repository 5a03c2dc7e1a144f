import type { KubernetesObject, ObjectMeta, ResourceType } from "../kubernetes/kubernetes-object.ts";
import type { AggregatedRoles } from "./rbac/aggregated-roles.ts";

/** A backup's treatment of the objects of a kind, and of their needs. */
export interface SavingRules {
  /** It describes one cluster, and means nothing in another: a namespaced kind is never saved, of others what an object names. */
  readonly isOfCluster?: true;
  /** Whether the cluster creates an object itself, out of others that are there, or it is this service's own: it is not saved. */
  readonly isMadeByCluster?: (object: KubernetesObject) => boolean;
  /** `isMadeByCluster` looks at more than the metadata. */
  readonly isMadeByClusterNeedsBody?: true;
  /** The kinds of owners whose revisions its objects are: saved though the cluster creates them, run and stopped by their owner. */
  readonly revisionsOf?: readonly string[];
  /** Whether an object that is being deleted is saved all the same. */
  readonly staysWhileDeleted?: (object: KubernetesObject) => boolean;
  /** The service, as `namespace/name`, whose endpoints an object holds. */
  readonly endpointsOf?: (metadata: ObjectMeta) => string | undefined;
  /** Whether a service leaves its endpoints to others, so that nobody recreates them. A kind with this rule is saved before all others. */
  readonly leavesEndpoints?: (service: KubernetesObject) => boolean;

  /** The cluster-scoped objects that one names, beside its definition. Without this rule: those that its pods name. */
  readonly references?: (object: KubernetesObject) => readonly Reference[];
  /** The objects of its namespace that one needs, beside those in fields that name one in any kind. Without this rule: its pods' account. */
  readonly needs?: (object: KubernetesObject) => readonly NamespacedName[];
  /** The objects of its namespace that need one. */
  readonly neededBy?: (object: KubernetesObject) => readonly NamespacedName[];
  /** Its data may be anything: it needs nothing. */
  readonly isOpaque?: true;
  /** The prefixes of the names of claims that an object creates for its pods; a number follows. */
  readonly claimPrefixes?: (object: KubernetesObject) => readonly string[];

  /** How a backup finds the needed objects of a cluster-scoped kind: by name, or by looking through all. Its turn: `reading-order.ts`. */
  readonly read?: "get" | "list";
  /** Label selectors that find more of them. */
  readonly selectors?: (known: KnownNeeds) => Iterable<string>;
  /** Whether a cluster-scoped object is needed. Without this rule: when another one names it. */
  readonly isNeeded?: (object: KubernetesObject, known: KnownNeeds) => boolean;
  /** Notes what a needed object needs in turn. Without this rule, outside of the reading order: its definition. */
  readonly noteNeeds?: (object: KubernetesObject, known: KnownNeeds) => void;
  /** Notes that an object of this name is needed. */
  readonly noteName?: (name: string, known: KnownNeeds) => void;
  /** Whether every cluster has an object of this name by itself. */
  readonly isInEveryCluster?: (name: string) => boolean;
  /** Whether a name in use may stand for no object. */
  readonly mayBeOnlyAName?: (name: string, known: KnownNeeds) => boolean;
  /** Who else, beside some namespaces, gets rights from a cluster-scoped object, or is sent their data; in words. */
  readonly othersIn?: (object: KubernetesObject, namespaces: ReadonlySet<string>) => readonly string[];

  /** The kinds whose objects name those of a cluster-scoped one. One of the same group is asked for in the same version. */
  readonly users?: readonly Kind[];
  /** Whether nobody outside of some namespaces depends on a cluster-scoped object. Without this rule: when no user elsewhere names it. */
  readonly isUsedOnlyBy?: (object: KubernetesObject, asking: Asking) => boolean | Promise<boolean>;
}

export type Kind = Pick<ResourceType, "apiVersion" | "resource">;

/** A cluster-scoped object that another one names. */
export interface Reference {
  /** `storageclasses.storage.k8s.io` */
  readonly resource: string;
  readonly name: string;
  /** Whether the name means something even where there is no such object. */
  readonly isLoose: boolean;
}

/** An object of a namespace, by its kind's resource name. */
export interface NamespacedName {
  readonly resource: string;
  readonly name: string;
}

/** The cluster-scoped objects found so far that some namespaces need. */
export interface KnownNeeds {
  readonly namespaces: ReadonlySet<string>;
  /** The drivers of needed storage classes. */
  readonly drivers: Set<unknown>;
  /** The classes of needed volumes that were made by hand. */
  readonly staticClasses: Set<string>;
  readonly roles: AggregatedRoles;
  readonly isNamed: (kind: string, name: string) => boolean;
  readonly need: (kind: string, name: string) => void;
}

/** The control plane that asks whether others use a cluster-scoped object. */
export interface Asking {
  readonly namespaces: ReadonlySet<string>;
  /** Whether a Helm release in the namespaces has installed the object. */
  readonly isReleased: boolean;
  /** Whether all that uses it, of some kinds, is in the namespaces. */
  readonly areOurs: (kinds: readonly Kind[], uses: (user: KubernetesObject) => boolean) => Promise<boolean>;
}
