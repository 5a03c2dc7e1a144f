import type { ControlPlaneConfig } from "../config.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";

export const namespaces: ResourceType = {
  apiVersion: "v1",
  kind: "Namespace",
  resource: "namespaces",
  namespaced: false,
};

/** The control plane's namespace, its vault's and its further ones, those of them that exist. */
export async function existingEntities(
  cluster: Cluster,
  { namespace, vaultNamespace, furtherNamespaces }: ControlPlaneConfig,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const candidates = [...new Set([namespace, vaultNamespace, ...furtherNamespaces])].filter((name) => name !== "");
  return existingNamespaces(cluster, candidates, signal);
}

/** Those of some namespaces that exist. */
export async function existingNamespaces(
  cluster: Cluster,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = await Promise.all(names.map((name) => cluster.get(namespaces, "", name, signal)));
  return names.filter((_, index) => found[index] !== undefined);
}

/** Whether a namespace is on its way out; nothing can be made in it then. */
export function isTerminating(namespace: KubernetesObject): boolean {
  return namespace.metadata.deletionTimestamp !== undefined;
}
