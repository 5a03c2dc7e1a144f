import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { restoreClusterScoped } from "./cluster-scoped.ts";
import { restoreObjects } from "./namespaced-objects.ts";
import { OwnerLinks } from "./owner-links.ts";
import { clusterScopedOrder, restoreWaves, userSnapshots } from "./restore-order.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";

/** Makes what a source holds, but for claims and for what runs as soon as it exists. */
export async function restoreFrom(source: RestoreSource, parts: JobParts, context: JobContext): Promise<void> {
  const { cluster, limits } = parts;
  const links = new OwnerLinks(context, source.notesPrefix);
  await restoreClusterScoped(parts, context, source, links, clusterScopedOrder);
  const discovery = await cluster.discover(context.signal); // with the kinds that have just been made
  const restore = { parts, context, source, discovery, links };
  for (const wave of restoreWaves(source.reader.parts)) await restoreObjects(restore, wave);
  await tellLostSnapshots(source, parts, context);
  await links.linkPending(cluster, discovery.resources, limits.clusterConcurrency, false);
}

/** Users' own snapshots were left alone; one that has gone meanwhile cannot be made again, as its data went with it. */
async function tellLostSnapshots(source: RestoreSource, { cluster }: JobParts, context: JobContext): Promise<void> {
  for await (const { type, object } of objectsOf(source, partsOf(source, userSnapshots), context.signal)) {
    const { namespace = "", name } = object.metadata;
    if (await cluster.get(type, namespace, name, context.signal)) continue;
    context.warn(
      namespace,
      `${type.kind} ${name}, a user's own, is gone and was not restored: the backup does not hold its data`,
    );
  }
}
