import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject, ObjectMeta, ResourceType } from "../kubernetes/kubernetes-object.ts";

/** How a restore makes the objects of a kind, and what it does where one is there already. */
export interface RestoringRules {
  /** When its objects are created. Without this rule: in the middle, after what they may use, before what runs. */
  readonly wave?: Wave;
  /** Its objects have to be there before claims are created. */
  readonly isForClaims?: true;
  /** Removes the fields that the cluster had set, other than metadata and status. Changes its argument, which is a copy. */
  readonly strip?: (object: KubernetesObject) => void;
  /** The body to send for a stripped object, so that it neither runs nor limits others before the restore starts it. */
  readonly make?: (stripped: KubernetesObject, archived: KubernetesObject, how: HowToMake) => KubernetesObject;
  /** Whether an object has completed or failed, and is not recreated. */
  readonly isOver?: (object: KubernetesObject) => boolean;
  /** Runs after an object was created or replaced. May run again. */
  readonly whenMade?: (written: Written) => Promise<void>;
  /** Runs for an object that is as it was saved, and stays. May run again. Returns whether it has changed the object. */
  readonly whenLeft?: (written: Written) => Promise<boolean>;
  /** It has a replica count: created with none, and scaled up when all is there. */
  readonly isScaled?: true;
  /** Its objects own pods, or what creates pods: these are deleted with one that is recreated. */
  readonly ownsPods?: true;
  /** How much of an object is up. */
  readonly readiness?: Readiness;
  /** Admission's message about an object that names a missing one; its name is the first group. */
  readonly saidToBeMissing?: RegExp;

  /** Drops from a stripped object what a comparison ignores, and adds what it also looks at. Changes its first argument. */
  readonly compare?: (rest: Comparable, object: KubernetesObject) => void;
  /** The merge patch that makes an object the saved one, but for the cluster's own part of it. Without this rule it is replaced. */
  readonly merge?: (existing: KubernetesObject, saved: KubernetesObject) => object;
  /** An object without the addresses and ports that only one of a cluster can have: another one may have them by now. */
  readonly withoutAllocations?: (object: KubernetesObject) => KubernetesObject;
  /** With an object goes something that a restore does not recreate. */
  readonly isNeverRecreated?: true;
  /** Why an object that a restore has added stays when the restore is rolled back. */
  readonly staysWhenAdded?: string;
  /** Controllers make its objects, and delete them, as they need them: a missing one is not reported. */
  readonly comesAndGoes?: true;
  /** How a recreated object differs from the saved one; undefined when it does not. */
  readonly loss?: (saved: KubernetesObject) => string | undefined;
  /** The spec with which an object limits nothing that is restored; undefined when it limits nothing as it is. */
  readonly relaxed?: (object: KubernetesObject) => object | undefined;

  /** The copy for another namespace: names of namespaces mapped, without what only one object can have. */
  readonly copy?: (object: KubernetesObject, map: MapName) => KubernetesObject;
  /** It is for snapshots: of no use, and left out, in a cluster that knows none. */
  readonly isForSnapshots?: true;
  /** Annotations that make an object the one for all that name none: with a second one the cluster takes it, or refuses all. */
  readonly defaultMarks?: readonly string[];
  /** The object with other names of storage classes. */
  readonly inOtherClasses?: (object: KubernetesObject, map: MapName) => KubernetesObject;
  /** Its objects stand for things of production: there are no copies. */
  readonly isNotCopied?: true;
}

/**
 * When objects are created.
 *
 * | wave | when |
 * |---|---|
 * | `volumes` | in RESTORING_PVC: namespaces, volumes and their claims |
 * | `cluster` | first in RESTORING_OBJECTS, in the order of the table |
 * | `settings`, `secrets`, `roles`, `bindings`, `services` | then, one wave after the other |
 * | none | in the middle |
 * | `revisions`, `workloads`, `budgets` | last in RESTORING_OBJECTS, workloads without replicas |
 * | `running` | in STARTING_APPS, as they run as soon as they exist; in the order of the table |
 * | `quotas` | when all is up, as they would count, and refuse, objects older than they are |
 * | `calls`, `policies` | when all is up, as they call into the control plane, or judge new objects |
 * | `snapshots` | never: users' own stay where they are, neither deleted nor recreated |
 */
export type Wave =
  | "volumes"
  | "cluster"
  | "settings"
  | "secrets"
  | "roles"
  | "bindings"
  | "services"
  | "revisions"
  | "workloads"
  | "budgets"
  | "running"
  | "quotas"
  | "calls"
  | "policies"
  | "snapshots";

export interface HowToMake {
  /** Whether it is created as it runs: limit ranges whole, workloads with their replicas. */
  readonly started: boolean;
}

/** An object that the cluster has by now. */
export interface Written {
  readonly cluster: Cluster;
  readonly type: ResourceType;
  readonly archived: KubernetesObject;
  readonly signal: AbortSignal;
}

export interface Readiness {
  /** So much of an object is up. */
  readonly up: (object: KubernetesObject) => number;
  /** So much of an object should be up now; infinity while its controller has not looked at it. */
  readonly whole: (object: KubernetesObject) => number;
  /** It counts pods as ready that are being deleted. */
  readonly countsLostPods?: true;
}

/** A stripped object without its apiVersion and kind. */
export interface Comparable {
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** The target name of a saved namespace, or storage class; one without another target keeps its name. */
export type MapName = (saved: string) => string;
