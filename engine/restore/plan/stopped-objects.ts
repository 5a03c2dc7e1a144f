import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { workloadOf } from "../../kinds/apps/pod-workload.ts";
import type { Scope } from "../source/scope.ts";

/**
 * Whether a restore stops an object of the cluster: one that it may make as it was saved, and the pods that such a one has
 * made. All that runs in namespaces that are restored as a whole is.
 */
export function isStopped(
  scope: Scope,
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
): boolean {
  const { namespace = "", name } = object.metadata;
  if (scope.wholeNamespaces.includes(namespace)) return true;
  const isIn = (one: Pick<ResourceType, "apiVersion" | "resource">, itsName: string) =>
    scope.liveReachOf(one, { namespace, name: itsName }) === "as saved";
  if (isIn(type, name)) return true;
  const workload = resourceName(type) === "pods" ? workloadOf(object) : undefined;
  return workload !== undefined && isIn(workload.type, workload.name);
}
