import type { KubernetesObject } from "./kubernetes-client.ts";
import type { ClusterPicture } from "./picture.ts";

/** Metadata that the API server sets itself on every object it creates. */
const serverSet = ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"] as const;

/** Annotations that a controller writes about its own work. */
const controllersAnnotations = [
  "deployment.kubernetes.io/revision", // counts the replica sets, which a restore recreates
  "kubernetes.io/service-account.uid",
  "pv.kubernetes.io/bind-completed",
  "pv.kubernetes.io/bound-by-controller",
  "volume.beta.kubernetes.io/storage-provisioner",
  "volume.kubernetes.io/selected-node",
  "volume.kubernetes.io/storage-provisioner",
];

/** Labels that a controller writes: the ids of a recreated object, and the day a token was used. */
const controllersLabels = [
  "batch.kubernetes.io/controller-uid",
  "controller-uid",
  "kubernetes.io/legacy-token-last-used",
];

/** Further fields that the cluster must change when an object is recreated, by kind. Everything not named here must be the same. */
const mustChange: Record<string, (object: KubernetesObject) => void> = {
  /** The claim names its new volume and the snapshot it was filled from. */
  PersistentVolumeClaim({ spec }) {
    delete spec.volumeName;
    delete spec.dataSource;
    delete spec.dataSourceRef;
  },
  /**
   * A new volume has a new name and handle; the picture knows it by its claim. The provisioner takes its finalizer away and
   * adds it again as the reclaim policy changes.
   */
  PersistentVolume({ metadata, spec }) {
    metadata.name = "";
    metadata.finalizers?.sort();
    delete spec.csi?.volumeHandle;
    delete spec.csi?.volumeAttributes?.["storage.kubernetes.io/csiProvisionerIdentity"];
    delete spec.claimRef?.uid;
    delete spec.claimRef?.resourceVersion;
  },
  /** A job selects its pods by its own uid. */
  Job({ spec }) {
    dropKeys(spec.selector?.matchLabels, controllersLabels);
    dropKeys(spec.template.metadata?.labels, controllersLabels);
  },
  /** The scheduler picks the node; the service account's token is a volume with a random name. */
  Pod({ spec }) {
    delete spec.nodeName;
    const token = /^kube-api-access-\w+$/;
    for (const volume of spec.volumes ?? []) volume.name = volume.name.replace(token, "kube-api-access");
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])])
      for (const mount of container.volumeMounts ?? []) mount.name = mount.name.replace(token, "kube-api-access");
  },
  /** A token names the uid of its account, and the certificate is the cluster's. */
  Secret(secret) {
    if (secret["type"] !== "kubernetes.io/service-account-token") return;
    dropKeys(secret["data"], ["token", "ca.crt"]);
  },
};

/** The object without the fields that the cluster itself must change when it is recreated: the only exceptions of the comparison. */
export function withoutClusterChanges(object: KubernetesObject): KubernetesObject {
  const copy = structuredClone(object);
  const { metadata } = copy;
  delete copy["status"];
  for (const field of serverSet) delete metadata[field];
  for (const owner of metadata.ownerReferences ?? []) delete owner.uid;
  dropKeys(metadata.annotations, controllersAnnotations);
  dropKeys(metadata.labels, controllersLabels);
  // An object may have had no others.
  if (Object.keys(metadata.annotations ?? {}).length === 0) delete metadata.annotations;
  if (Object.keys(metadata.labels ?? {}).length === 0) delete metadata.labels;
  mustChange[copy.kind]?.(copy);
  return copy;
}

function dropKeys(map: Record<string, unknown> | undefined, keys: readonly string[]): void {
  for (const key of keys) delete map?.[key];
}

/** One line for each object that is missing or new, and for each field that differs. Empty when all is as it was. */
export function compareObjects(before: ClusterPicture, after: ClusterPicture): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === undefined) return [`${name}: new`];
    if (is === undefined) return [`${name}: missing`];
    return differences(withoutClusterChanges(was), withoutClusterChanges(is), name + ":");
  });
}

function differences(was: unknown, is: unknown, at: string): string[] {
  if (isContainer(was) && isContainer(is) && Array.isArray(was) === Array.isArray(is)) {
    const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])].sort();
    return keys.flatMap((key) => differences(was[key], is[key], `${at} ${key}`));
  }
  if (Object.is(was, is)) return [];
  return [`${at} was ${shown(was)}, is ${shown(is)}`];
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function shown(value: unknown): string {
  if (value === undefined) return "absent";
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
