import { type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";

/** Cluster-scoped kinds, in the order in which what comes later may need what comes before. */
export const clusterScopedOrder: readonly string[] = [
  "customresourcedefinitions.apiextensions.k8s.io",
  "priorityclasses.scheduling.k8s.io",
  "runtimeclasses.node.k8s.io",
  "deviceclasses.resource.k8s.io",
  "ingressclasses.networking.k8s.io",
  "gatewayclasses.gateway.networking.k8s.io",
  "storageclasses.storage.k8s.io",
  "volumeattributesclasses.storage.k8s.io",
  "volumesnapshotclasses.snapshot.storage.k8s.io",
  "clusterroles.rbac.authorization.k8s.io",
  "clusterrolebindings.rbac.authorization.k8s.io",
];

/** What judges objects as they are made, and would refuse what it did not refuse when they were. */
export const admissionPolicies: readonly string[] = [
  "mutatingadmissionpolicies.admissionregistration.k8s.io",
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
  "validatingadmissionpolicies.admissionregistration.k8s.io",
  "validatingadmissionpolicybindings.admissionregistration.k8s.io",
];

/** Calls into the control plane go to it again only when it is up, and then what is made is judged again. */
export const afterStart: readonly string[] = [
  "apiservices.apiregistration.k8s.io",
  ...admissionPolicies,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io",
  "validatingwebhookconfigurations.admissionregistration.k8s.io",
];

/** The cluster-scoped kinds of an archive that are made before its namespaced objects, in their order. */
export function clusterScopedKinds(types: readonly ResourceType[]): readonly string[] {
  const elsewhere = [...clusterScopedOrder, ...afterStart, "namespaces", "persistentvolumes"];
  const others = types.filter((type) => !type.namespaced).map(resourceName);
  return [...clusterScopedOrder, ...others.filter((name) => !elsewhere.includes(name))];
}

/** Workloads that have a replica count: restored with none of them, and scaled up in STARTING_APPS. */
export const scaledWorkloads: readonly string[] = [
  "statefulsets.apps",
  "deployments.apps",
  "replicasets.apps",
  "replicationcontrollers",
];

/** What runs as soon as it exists: made in STARTING_APPS, in this order. */
export const startedByCreation: readonly string[] = ["daemonsets.apps", "cronjobs.batch", "jobs.batch", "pods"];

/** Would count, and refuse, what is restored and older than they are: made when all is up. */
export const quotas: readonly string[] = ["resourcequotas"];

/** Out of force while a restore runs, and in force again when all is up. */
export const limitKinds: readonly string[] = [...quotas, "limitranges"];

/** Volumes and their claims have phases of their own. */
const volumeKinds = ["persistentvolumes", "persistentvolumeclaims"];

/** Users' own snapshots stay where they are: neither deleted nor made again. */
export const userSnapshots: readonly string[] = [
  "volumesnapshots.snapshot.storage.k8s.io",
  "volumegroupsnapshots.groupsnapshot.storage.k8s.io",
];

const firstWaves: readonly (readonly string[])[] = [
  ["serviceaccounts", "configmaps", "podtemplates", "limitranges"], // of limit ranges the defaults
  ["secrets"], // a token whose account is missing is deleted by the cluster
  ["roles.rbac.authorization.k8s.io"],
  ["rolebindings.rbac.authorization.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"],
  ["services", "networkpolicies.networking.k8s.io"],
];
/**
 * Before the workloads, whose controllers adopt what their selectors match and find their newest revision there; after them
 * they would have made another one already.
 * https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#non-template-pod-acquisitions
 */
const revisions: readonly string[] = ["replicasets.apps", "controllerrevisions.apps"];
const lastWaves: readonly (readonly string[])[] = [
  revisions,
  scaledWorkloads.filter((name) => !revisions.includes(name)),
  ["poddisruptionbudgets.policy", "horizontalpodautoscalers.autoscaling"],
];

/**
 * The waves in which RESTORING_OBJECTS makes namespaced objects: all of a wave at once, one wave after the other. Kinds
 * that are not named, custom resources above all, come in the middle: after what they may use, before what runs.
 */
export function restoreWaves<T extends ResourceType>(types: readonly T[]): readonly (readonly T[])[] {
  const elsewhere = new Set([...startedByCreation, ...volumeKinds, ...userSnapshots, "namespaces", ...quotas]);
  const here = types.filter((type) => type.namespaced && !elsewhere.has(resourceName(type)));
  const named = new Set([...firstWaves, ...lastWaves].flat());
  const wave = (names: readonly string[]) => here.filter((type) => names.includes(resourceName(type)));
  const others = here.filter((type) => !named.has(resourceName(type)));
  return [...firstWaves.map(wave), others, ...lastWaves.map(wave)].filter((types) => types.length > 0);
}

/** The waves in which DELETING_OBJECTS deletes: what runs first, then the order of restoring from its end. */
export function deletionWaves<T extends ResourceType>(types: readonly T[]): readonly (readonly T[])[] {
  const running = types.filter((type) => startedByCreation.includes(resourceName(type)));
  const limits = types.filter((type) => quotas.includes(resourceName(type)));
  return [running, limits, ...restoreWaves(types).toReversed()].filter((wave) => wave.length > 0);
}
