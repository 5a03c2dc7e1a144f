import type { Cluster } from "../kubernetes/cluster.ts";
import type { DiscoveredResource } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";

/** With fewer namespaces it is not worth asking. */
const manyNamespaces = 4;

/**
 * Those of some kinds that have an object anywhere in the cluster: most have none, and need not be looked for in each of
 * many namespaces. A kind that the service may not look for everywhere counts as one that has.
 */
export async function occupiedKinds(
  cluster: Cluster,
  kinds: readonly DiscoveredResource[],
  namespaces: readonly string[],
  inFlight: number,
  signal: AbortSignal,
): Promise<readonly DiscoveredResource[]> {
  if (namespaces.length < manyNamespaces) return kinds;
  const empty = new Set<DiscoveredResource>();
  await forEachInFlight(kinds, inFlight, async (kind) => {
    if (await cluster.isKnownEmpty(kind, signal)) empty.add(kind);
  });
  return kinds.filter((kind) => !empty.has(kind));
}
