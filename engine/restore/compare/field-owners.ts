import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";

/** The server-side appliers of an object, in one text, to be compared. */
export function appliersOf({ metadata }: KubernetesObject): string {
  const managedFields = (metadata["managedFields"] ?? []) as { operation?: string; manager?: string }[];
  const appliers = managedFields.filter(({ operation }) => operation === "Apply");
  return appliers
    .map(({ manager = "" }) => manager)
    .sort()
    .join();
}

/**
 * Gives an object's fields back to those who applied them on the server side; without it they would be this service's,
 * and the next apply by the object's manager (Argo CD, Flux, Helm) would meet a conflict. Objects that nobody
 * applied that way need nothing. https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
 */
export async function restoreFieldOwners(
  cluster: Cluster,
  type: ResourceType,
  archived: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  if (appliersOf(archived) === "") return;
  const { namespace = "", name, managedFields } = archived.metadata;
  await cluster.patch(type, namespace, name, { metadata: { managedFields } }, signal);
}
