import { isMadeForAccount } from "../kinds/core/service-account.ts";
import { jobLabel, ownRightsLabel } from "../kinds/own-labels.ts";
import type { DiscoveredResource, Discovery } from "../kubernetes/discovery.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";

/**
 * Kinds that describe what happens in one cluster and mean nothing in a restored one. They are neither saved nor deleted
 * nor restored.
 */
export const excludedResources: readonly string[] = [
  "events",
  "events.events.k8s.io",
  "leases.coordination.k8s.io",
  "csistoragecapacities.storage.k8s.io",
];

const neededVerbs = ["list", "get", "create", "delete"];

/** Whether a kind belongs to a namespace's contents: it is kept by the API server and can be made again. */
export function isSavedResource(resource: DiscoveredResource): boolean {
  return (
    resource.namespaced &&
    !excludedResources.includes(resourceName(resource)) &&
    neededVerbs.every((verb) => resource.verbs.includes(verb))
  );
}

/**
 * The kinds that a backup of some namespaces holds, and a restore replaces. What the namespaces serve themselves, by an
 * aggregated API, is in their own data: it cannot be had while they are stopped, and is nothing to be put into them again.
 */
export function savedResources(
  { resources, serverOf }: Pick<Discovery, "resources" | "serverOf">,
  namespaces: readonly string[],
): readonly DiscoveredResource[] {
  const isServedByThem = (apiVersion: string) => namespaces.includes(serverOf(apiVersion)?.namespace ?? "");
  return resources.filter((kind) => isSavedResource(kind) && !isServedByThem(kind.apiVersion));
}

/**
 * Whether an object belongs into an archive: not what the cluster makes itself, but for the revisions of workloads, and not what is on its way out, but for a
 * claim with its volume, which stays, and is in use, as long as a pod has it. Of the services in `unselecting` (`namespace/name`), which have no selector, nobody makes the endpoints again.
 */
export function isSavedObject(
  type: ResourceType,
  object: KubernetesObject,
  unselecting: ReadonlySet<string> = new Set(),
): boolean {
  if (isGoing(type, object)) return false;
  if (isRevision(type, object)) return true;
  return !isMadeByCluster(type, object) || unselecting.has(serviceOf(type, object) ?? "");
}

/**
 * Whether an object is a revision of a workload: the cluster makes the newest itself, but the older ones, by which pods may
 * run and roll-outs are undone, are nowhere else. It runs and stops with its owner.
 * https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment
 */
export function isRevision(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  { metadata }: KubernetesObject,
): boolean {
  const kind = metadata.ownerReferences?.find((owner) => owner.controller === true)?.kind;
  if (resourceName(type) === "replicasets.apps") return kind === "Deployment";
  return resourceName(type) === "controllerrevisions.apps" && (kind === "StatefulSet" || kind === "DaemonSet");
}

/** Whether an object is being deleted, and is not saved for that. */
export function isGoing(type: ResourceType, object: KubernetesObject): boolean {
  if (object.metadata.deletionTimestamp === undefined) return false;
  const { phase } = (object["status"] ?? {}) as { phase?: string };
  return resourceName(type) !== "persistentvolumeclaims" || phase !== "Bound";
}

/** The service whose endpoints an object holds. Mirrored slices are made out of Endpoints. */
function serviceOf(type: ResourceType, { metadata }: KubernetesObject): string | undefined {
  const { namespace = "", name, labels = {} } = metadata;
  if (resourceName(type) === "endpoints") return `${namespace}/${name}`;
  if (resourceName(type) !== "endpointslices.discovery.k8s.io" || labels[slicedBy]?.includes("mirroring") === true)
    return undefined;
  return `${namespace}/${labels["kubernetes.io/service-name"] ?? ""}`;
}

const slicedBy = "endpointslice.kubernetes.io/managed-by";

/** Whether a service leaves its endpoints to others; those that are there once a selector was taken away stay. */
export function isUnselecting(type: ResourceType, object: KubernetesObject): boolean {
  return (
    resourceName(type) === "services" && (object["spec"] as { selector?: object } | undefined)?.selector === undefined
  );
}

/** Whether the cluster makes the object itself, out of others that are there, or it is this service's own. */
export function isMadeByCluster(type: ResourceType, object: KubernetesObject): boolean {
  if (isRevision(type, object)) return true;
  const { metadata } = object;
  const { name, labels = {}, annotations = {} } = metadata;
  const controller = metadata.ownerReferences?.find((owner) => owner.controller === true);
  switch (resourceName(type)) {
    case "pods":
      return controller !== undefined || isMirrorPod(object);
    case "persistentvolumeclaims": // a generic ephemeral volume: its pod makes it
    case "resourceclaims.resource.k8s.io":
      return controller?.kind === "Pod";
    case "endpoints":
      return (
        "endpoints.kubernetes.io/managed-by" in labels ||
        "endpoints.kubernetes.io/last-change-trigger-time" in annotations
      );
    case "endpointslices.discovery.k8s.io":
      return /^endpointslice(mirroring)?-controller\.k8s\.io$/.test(labels[slicedBy] ?? "");
    case "configmaps":
      return name === rootCertificate;
    case "secrets":
      return (
        object["type"] === "kubernetes.io/service-account-token" &&
        isMadeForAccount(annotations["kubernetes.io/service-account.name"] ?? "", "token", name)
      );
    case "volumesnapshots.snapshot.storage.k8s.io":
      return jobLabel in labels;
    case "rolebindings.rbac.authorization.k8s.io":
      return ownRightsLabel in labels;
    default:
      return false;
  }
}

/** A node's own pod, which the API server only shows: https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/ */
export function isMirrorPod({ metadata }: KubernetesObject): boolean {
  return "kubernetes.io/config.mirror" in (metadata.annotations ?? {});
}

/** The config map with the API server's certificate, which the cluster puts into every namespace. */
export const rootCertificate = "kube-root-ca.crt";
