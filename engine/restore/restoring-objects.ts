import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { restoreClusterScoped } from "./cluster-scoped.ts";
import { restoreObjects } from "./namespaced-objects.ts";
import { OwnerLinks } from "./owner-links.ts";
import { clusterScopedOrder, restoreWaves } from "./restore-order.ts";
import type { RestoreSource } from "./restore-source.ts";

/** Makes what a source holds, but for claims and for what runs as soon as it exists. */
export async function restoreFrom(source: RestoreSource, parts: JobParts, context: JobContext): Promise<void> {
  const { cluster, limits } = parts;
  const links = new OwnerLinks(context, source.notesPrefix);
  await restoreClusterScoped(parts, context, source, links, clusterScopedOrder);
  const discovery = await cluster.discover(context.signal); // with the kinds that have just been made
  const restore = { parts, context, source, discovery, links };
  for (const wave of restoreWaves(source.reader.parts)) await restoreObjects(restore, wave);
  await links.linkPending(cluster, discovery.resources, limits.clusterConcurrency, false);
}
