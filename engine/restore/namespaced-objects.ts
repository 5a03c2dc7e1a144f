import type { Part } from "../archive/format.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { isFinishedJob, markFinished, suspended } from "./finished-jobs.ts";
import { ObjectRestorer, refusalOf } from "./object-restorer.ts";
import type { OwnerLinks } from "./owner-links.ts";
import { objectsOf, type RestoreSource } from "./restore-source.ts";
import { scaledWorkloads } from "./restore-order.ts";
import { sanitize } from "./sanitize.ts";
import { inVersion, servedType } from "./served-types.ts";

/** After so many objects it is noted how far the restore has come. */
const batchSize = 500;

export interface NamespacedRestore {
  readonly parts: Pick<JobParts, "cluster" | "limits">;
  readonly context: JobContext;
  readonly source: RestoreSource;
  readonly discovery: Discovery;
  readonly links: OwnerLinks;
}

/**
 * Restores all objects of some parts, many at once; one that the cluster refuses is an error that names it, and the rest
 * goes on. Workloads with a replica count are made with none. May run again: it goes on after the last whole batch.
 */
export async function restoreObjects(restore: NamespacedRestore, parts: readonly Part[]): Promise<void> {
  for (const part of parts) await restorePart(restore, part);
}

async function restorePart(restore: NamespacedRestore, part: Part): Promise<void> {
  const { context, source, discovery } = restore;
  const { signal, notes } = context;
  const type = servedType(discovery, part);
  if (!type) {
    context.error(
      "",
      `${part.objects} ${resourceName(part)} were not restored: the cluster serves no version of this kind`,
    );
    return;
  }
  const key = `${source.notesPrefix}restored/${part.file}`;
  const done = notes.get<number>(key) ?? 0;
  if (done >= part.objects) return;
  let position = 0;
  let batch: KubernetesObject[] = [];
  const flush = async () => {
    await forEachInFlight(batch, restore.parts.limits.clusterConcurrency, (object) =>
      restoreOne(restore, type, object),
    );
    notes.set(key, position);
    batch = [];
  };
  for await (const { object } of objectsOf(source, [part], signal)) {
    position++;
    if (position > done) batch.push(object);
    if (batch.length === batchSize) await flush();
  }
  await flush();
  context.info(`restored ${part.objects} ${resourceName(part)}`);
}

async function restoreOne(restore: NamespacedRestore, type: ResourceType, archived: KubernetesObject): Promise<void> {
  const { parts, context, links } = restore;
  const { namespace = "", name } = archived.metadata;
  if (isFinishedPod(type, archived)) {
    context.info(`pod ${namespace}/${name} had finished and is not run again`);
    return;
  }
  const isFinished = resourceName(type) === "jobs.batch" && isFinishedJob(archived);
  const wanted = inVersion(sanitize(type, archived), type.apiVersion);
  const object = isFinished ? suspended(wanted) : wanted;
  if (scaledWorkloads.includes(resourceName(type))) object["spec"] = { ...(object["spec"] as object), replicas: 0 };
  const owners = links.ownersFor(type, archived);
  if (owners.length > 0) object.metadata.ownerReferences = [...owners];
  try {
    const restorer = new ObjectRestorer({ cluster: parts.cluster, signal: context.signal, warn: context.warn });
    const { metadata } = await restorer.restore(type, object);
    links.restored(archived.metadata.uid, metadata.uid);
    if (isFinished) await markFinished(parts.cluster, type, archived, context.signal);
  } catch (error) {
    context.error(namespace, `${type.kind} ${name} was not restored: ${refusalOf(error)}`);
  }
}

function isFinishedPod(type: ResourceType, object: KubernetesObject): boolean {
  const { phase } = (object["status"] ?? {}) as { phase?: string };
  return resourceName(type) === "pods" && (phase === "Succeeded" || phase === "Failed");
}
