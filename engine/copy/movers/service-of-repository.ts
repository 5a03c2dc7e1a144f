import { services } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { parseRepository } from "../../repository.ts";

/**
 * The namespace of the Service whose address a repository's URL has, or that it names. A NetworkPolicy cannot let pods reach such an
 * address: egress is judged by the pod behind it. Undefined for a server elsewhere, and where the service may not list Services.
 * https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
 */
export async function namespaceOfRepository(
  cluster: Cluster,
  repository: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { server } = parseRepository(repository).network ?? {};
  if (server === undefined || server.serviceNamespace !== undefined || !isAddress(server.host))
    return server?.serviceNamespace;
  try {
    for await (const service of cluster.list(services, "", signal)) {
      const { clusterIP, clusterIPs = [] } = service["spec"] as { clusterIP?: string; clusterIPs?: readonly string[] };
      if (clusterIP === server.host || clusterIPs.includes(server.host)) return service.metadata.namespace;
    }
    return undefined;
  } catch (error) {
    if (hasStatus(error, 403)) return undefined;
    throw error;
  }
}

export function isAddress(host: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(host);
}
