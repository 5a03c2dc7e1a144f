import type { TestCluster } from "./cluster.ts";
import { apiPath, type KubernetesObject } from "./kubernetes-client.ts";

/**
 * What a cluster holds, by a name that survives a restore: `Deployment.apps cdp/portal`, `PersistentVolume of cdp/data`.
 * Each object is as the API server gave it; `compareObjects` knows what may differ.
 */
export type ClusterPicture = ReadonlyMap<string, KubernetesObject>;

/** Kinds whose objects the cluster makes and changes by itself at any time. */
const clusterMade = new Set([
  "APIService", // one for each version that a custom resource definition serves
  "CSINode",
  "CSIStorageCapacity",
  "ComponentStatus",
  "ControllerRevision", // a stateful or daemon set's
  "Event",
  "IPAddress", // one for each service's address
  "Lease",
  "Node",
  "VolumeAttachment",
]);

/** On what the service itself makes in the cluster. */
export const servicesOwnLabel = "drs.cloudera.com/job";

/** Every object of the namespaces, of every kind that can be listed, and every cluster-scoped object. */
export async function takePicture(cluster: TestCluster, namespaces: readonly string[]): Promise<ClusterPicture> {
  const { kubernetes } = cluster;
  const paths = (await kubernetes.resources())
    .filter(({ kind }) => !clusterMade.has(kind))
    .flatMap((resource) =>
      resource.namespaced ? namespaces.map((namespace) => apiPath(resource, namespace)) : [apiPath(resource)],
    );
  const objects = (await Promise.all(paths.map((path) => kubernetes.list(path)))).flat();
  const selecting = new Set(objects.filter(isSelectingService).map((service) => pathOf(service)));
  const named = objects
    .filter((object) => object.kind !== "Namespace" || namespaces.includes(object.metadata.name))
    .filter((object) => !isClusterMade(object, selecting))
    .map((object) => [lastingName(object), object] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));

  const picture = new Map<string, KubernetesObject>();
  for (const [name, object] of named) {
    let unique = name;
    for (let count = 2; picture.has(unique); count++) unique = `${name} #${count}`; // a claim has one volume, not two
    picture.set(unique, object);
  }
  return picture;
}

function isSelectingService({ kind, spec }: KubernetesObject): boolean {
  return kind === "Service" && Object.keys(spec?.selector ?? {}).length > 0;
}

function isClusterMade(object: KubernetesObject, selecting: ReadonlySet<string>): boolean {
  const { kind, metadata } = object;
  const controller = metadata.ownerReferences?.find((owner) => owner.controller)?.kind;
  switch (kind) {
    case "ConfigMap":
      return metadata.name === "kube-root-ca.crt";
    case "Endpoints":
      return selecting.has(pathOf(object));
    case "EndpointSlice": // made for a selector, or mirrored from Endpoints
      return metadata.labels?.["endpointslice.kubernetes.io/managed-by"]?.endsWith(".k8s.io") ?? false;
    case "Pod":
      return controller !== undefined;
    case "ReplicaSet":
      return controller === "Deployment";
    case "VolumeSnapshot": // a backup keeps its own
      return metadata.labels?.[servicesOwnLabel] !== undefined;
    case "VolumeSnapshotContent": // the cluster's half of a user's VolumeSnapshot
      return true;
    default:
      return false;
  }
}

function pathOf({ metadata }: KubernetesObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

function lastingName(object: KubernetesObject): string {
  const group = object.apiVersion.includes("/") ? `.${object.apiVersion.split("/")[0]}` : "";
  const claim = object.kind === "PersistentVolume" ? object["spec"].claimRef : undefined;
  return `${object.kind}${group} ${claim ? `of ${claim.namespace}/${claim.name}` : pathOf(object)}`;
}
