import { type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { kindsThat, rulesFor, rulesOf } from "./kinds.ts";
import type { Wave } from "./restoring-rules.ts";

const inWaves = (...waves: readonly Wave[]) => kindsThat(({ wave }) => wave !== undefined && waves.includes(wave));

/** Cluster-scoped kinds, in the order in which what comes later may need what comes before. */
export const clusterScopedOrder = inWaves("cluster");

/** Kinds that judge objects at their creation, and may refuse objects created before them. */
export const admissionPolicies = inWaves("policies");

/** The cluster-scoped kinds of an archive that are made before its namespaced objects, in their order. */
export function clusterScopedKinds(types: readonly ResourceType[]): readonly string[] {
  const others = types.filter((type) => !type.namespaced).map(resourceName);
  return [...clusterScopedOrder, ...others.filter((name) => rulesFor(name).wave === undefined)];
}

/** Cluster-scoped kinds that have to be there before claims are made. */
export const kindsForClaims = kindsThat((kind) => kind.isForClaims);

/** Workloads that have a replica count: restored with none of them, and scaled up in STARTING_APPS. */
export const scaledWorkloads = kindsThat((kind) => kind.isScaled);

/** Kinds that run as soon as they exist: created in STARTING_APPS, in this order. */
export const startedByCreation = inWaves("running");

/** Would count, and refuse, restored objects that are older than they are: made when all is up. */
export const quotas = inWaves("quotas");

/** Out of force while a restore runs, and in force again when all is up. */
export const limitKinds = kindsThat((kind) => kind.relaxed);

/** Users' own snapshots stay where they are: neither deleted nor recreated. */
export const userSnapshots = inWaves("snapshots");

/** The revisions of workloads. */
export const revisionKinds = kindsThat((kind) => kind.revisionsOf);

/**
 * Revisions come before the workloads, whose controllers adopt what their selectors match and find their newest revision there;
 * after them they would have made another one already.
 * https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#non-template-pod-acquisitions
 */
const waves: readonly (Wave | undefined)[] = [
  "settings",
  "secrets",
  "roles",
  "bindings",
  "services",
  undefined,
  "revisions",
  "workloads",
  "budgets",
];

/**
 * The waves in which RESTORING_OBJECTS makes namespaced objects: all of a wave at once, one wave after the other. Kinds
 * without one, custom resources above all, come in the middle: after what they may use, before what runs.
 */
export function restoreWaves<T extends ResourceType>(types: readonly T[]): readonly (readonly T[])[] {
  const namespaced = types.filter((type) => type.namespaced);
  return waves
    .map((wave) => namespaced.filter((type) => rulesOf(type).wave === wave))
    .filter((types) => types.length > 0);
}

/** The waves in which DELETING_OBJECTS deletes: what runs first, then the order of restoring from its end. */
export function deletionWaves<T extends ResourceType>(types: readonly T[]): readonly (readonly T[])[] {
  const wave = (wave: Wave) => types.filter((type) => rulesOf(type).wave === wave);
  return [wave("running"), wave("quotas"), ...restoreWaves(types).toReversed()].filter((wave) => wave.length > 0);
}
