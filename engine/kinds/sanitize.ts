import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";
import { rulesOf } from "./kinds.ts";

/** Metadata that the API server sets. Owners are put back by `OwnerLinks`, as they have new uids. */
const serverSetMetadata = [
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink",
  "managedFields",
  "ownerReferences",
] as const;

/** Finalizers that controllers of the cluster itself add again where they belong. */
const clusterFinalizers = new Set([
  "foregroundDeletion",
  "orphan",
  "kubernetes.io/pvc-protection",
  "kubernetes.io/pv-protection",
  "snapshot.storage.kubernetes.io/pvc-as-source-protection",
]);

/**
 * An archived object as one that can be created: without what the cluster had filled in. The given one is not changed. A
 * status that is no subresource is not the cluster's: its object is the only place where it is written.
 */
export function sanitize(
  type: ResourceType & { readonly hasStatus?: boolean },
  archived: KubernetesObject,
): KubernetesObject {
  const object = copyOf(archived);
  if (type.hasStatus !== false) delete object["status"];
  for (const field of serverSetMetadata) delete object.metadata[field];
  const finalizers = object.metadata.finalizers?.filter((name) => !clusterFinalizers.has(name));
  if (finalizers && finalizers.length > 0) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
  rulesOf(type).strip?.(object);
  return object;
}

/** Numbers kept as text (`parseExact`) are frozen values of their own, which `structuredClone` would break. */
function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copyOf(member as unknown)])) as T;
}
