import { rulesOf } from "../kinds/kinds.ts";
import type { DiscoveredResource, Discovery } from "../kubernetes/discovery.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";

const neededVerbs = ["list", "get", "create", "delete"];

/** Whether a kind belongs to a namespace's contents: it is stored by the API server and can be recreated. */
export function isSavedResource(resource: DiscoveredResource): boolean {
  return (
    resource.namespaced &&
    rulesOf(resource).isOfCluster !== true &&
    neededVerbs.every((verb) => resource.verbs.includes(verb))
  );
}

/**
 * The kinds that a backup of some namespaces holds, and a restore replaces. Objects that the namespaces serve themselves, by an
 * aggregated API, are in their own data: they cannot be read while these are stopped, and must not be written into them again.
 */
export function savedResources(
  { resources, serverOf }: Pick<Discovery, "resources" | "serverOf">,
  namespaces: readonly string[],
): readonly DiscoveredResource[] {
  const isServedByThem = (apiVersion: string) => namespaces.includes(serverOf(apiVersion)?.namespace ?? "");
  return resources.filter((kind) => isSavedResource(kind) && !isServedByThem(kind.apiVersion));
}

/**
 * Whether an object belongs into an archive: not one the cluster makes itself, but for the revisions of workloads, and not one on its way out, but for a
 * claim with its volume, which stays, and is in use, as long as a pod has it. Of the services in `unselecting` (`namespace/name`), which have no selector, nobody makes the endpoints again.
 */
export function isSavedObject(
  type: ResourceType,
  object: KubernetesObject,
  unselecting: ReadonlySet<string> = new Set(),
): boolean {
  if (isGoing(type, object)) return false;
  if (isRevision(type, object)) return true;
  return !isMadeByCluster(type, object) || unselecting.has(rulesOf(type).endpointsOf?.(object.metadata) ?? "");
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
  const controller = metadata.ownerReferences?.find((owner) => owner.controller === true);
  return controller !== undefined && rulesOf(type).revisionsOf?.includes(controller.kind) === true;
}

/** Whether an object is being deleted, and is not saved for that. */
export function isGoing(type: ResourceType, object: KubernetesObject): boolean {
  return object.metadata.deletionTimestamp !== undefined && rulesOf(type).staysWhileDeleted?.(object) !== true;
}

/** Whether a service leaves its endpoints to others. */
export function isUnselecting(type: ResourceType, object: KubernetesObject): boolean {
  return rulesOf(type).leavesEndpoints?.(object) === true;
}

/** Whether the cluster makes the object itself, out of others that are there, or it is this service's own. */
export function isMadeByCluster(type: ResourceType, object: KubernetesObject): boolean {
  return isRevision(type, object) || rulesOf(type).isMadeByCluster?.(object) === true;
}
