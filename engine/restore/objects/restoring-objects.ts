import { setTimeout as sleep } from "node:timers/promises";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { restoreClusterScoped } from "./cluster-scoped.ts";
import { labelsAndAnnotations } from "../compare/labels-and-annotations.ts";
import { restoreObjects } from "./namespaced-objects.ts";
import { OwnerLinks } from "./owner-links.ts";
import { failWhenTooMany } from "./refused-objects.ts";
import { clusterScopedKinds, restoreWaves, userSnapshots } from "../../kinds/restore-order.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { partsInScope } from "../source/saved-names.ts";

/** Makes what a source holds, but for claims and for what runs as soon as it exists. */
export async function restoreFrom(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  const { cluster, limits } = deps;
  const links = new OwnerLinks(context, source.notesPrefix);
  await restoreClusterScoped(deps, context, source, links, clusterScopedKinds(source.reader.parts));
  failWhenTooMany(deps, context, source);
  const discovery = await discoverSaved(source, deps, context.signal);
  const restore = { deps, context, source, discovery, links };
  for (const wave of restoreWaves(source.reader.parts)) await restoreObjects(restore, wave);
  await findSnapshots(source, deps, context, links);
  await links.linkPending(cluster, discovery.resources, limits.clusterConcurrency, false);
}

/** The API server serves a kind a moment after its definition is established, or changed. */
const discoveryDelayMs = 5_000;

/** Discovers until all that was saved can be restored as it is, or for as long as that may take. */
async function discoverSaved(source: RestoreSource, { cluster }: JobDeps, signal: AbortSignal): Promise<Discovery> {
  const limit = Date.now() + discoveryDelayMs;
  const saved = await partsInScope(source, signal);
  for (let delay = 50; ; delay *= 2) {
    const discovery = await cluster.discover(signal);
    const isServed = (part: ResourceType) => discovery.versionsOf(resourceName(part)).includes(part.apiVersion);
    if (saved.every(isServed) || Date.now() + delay > limit) return discovery;
    await sleep(delay, undefined, { signal });
  }
}

/**
 * Users' own snapshots were left alone, and get their labels and annotations back; one that has gone meanwhile cannot be
 * recreated, as its data went with it.
 */
async function findSnapshots(
  source: RestoreSource,
  { cluster }: JobDeps,
  context: JobContext,
  links: OwnerLinks,
): Promise<void> {
  for await (const { type, object } of objectsOf(source, partsOf(source, userSnapshots), context.signal)) {
    const { namespace = "", name, uid } = object.metadata;
    const existing = await cluster.get(type, namespace, name, context.signal);
    links.restored(uid, existing?.metadata.uid);
    if (existing) {
      const metadata = labelsAndAnnotations(existing, object);
      if (metadata) await cluster.patch(type, namespace, name, { metadata }, context.signal);
      continue;
    }
    context.warn(
      "DRS-R081",
      namespace,
      `${type.kind} ${name}, which a user created, is gone and was not restored: the backup does not contain its data`,
    );
  }
}
