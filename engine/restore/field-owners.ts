import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";

/**
 * Gives an object's fields back to those who applied them on the server side; without it they would be this service's,
 * and the next apply of whoever manages the object (Argo CD, Flux, Helm) would meet a conflict. Objects that nobody
 * applied that way need nothing. https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
 */
export async function restoreFieldOwners(
  cluster: Cluster,
  type: ResourceType,
  archived: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  const managedFields = (archived.metadata["managedFields"] ?? []) as { operation?: string }[];
  if (!managedFields.some(({ operation }) => operation === "Apply")) return;
  const { namespace = "", name } = archived.metadata;
  await cluster.patch(type, namespace, name, { metadata: { managedFields } }, signal);
}
