import type { Part } from "../archive/format.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { isFinishedJob, isFinishedPod, markFinished } from "./finished-jobs.ts";
import { nameOf } from "./object-names.ts";
import { ObjectRestorer, refusalOf } from "./object-restorer.ts";
import type { OwnerLinks } from "./owner-links.ts";
import { failWhenTooMany, refusedNotes, tellGivenUp } from "./refused-objects.ts";
import { objectsOf, type RestoreSource } from "./restore-source.ts";
import { type ServedType, servedType } from "./served-types.ts";
import { wantedObject } from "./wanted-object.ts";

/** After so many objects it is noted how far the restore has come. */
const batchSize = 500;

export interface NamespacedRestore {
  readonly parts: Pick<JobParts, "cluster" | "limits" | "restore">;
  readonly context: JobContext;
  readonly source: RestoreSource;
  readonly discovery: Discovery;
  readonly links: OwnerLinks;
}

/**
 * Restores all objects of some parts, many at once; one that the cluster refuses is noted for `restoreRefused`, and the
 * rest goes on. Workloads with a replica count are made with none, and not paused. May run again: it goes on about where it was.
 */
export async function restoreObjects(restore: NamespacedRestore, parts: readonly Part[]): Promise<void> {
  const { context, source } = restore;
  await forEachInFlight(
    unrestored(restore, parts),
    restore.parts.limits.clusterConcurrency,
    async ({ type, part, object, position, progress }) => {
      const refusal = await restoreOne(restore, type, object);
      if (refusal !== undefined) {
        const name = nameOf(object.metadata.namespace ?? "", type, object.metadata.name);
        context.notes.set(refusedKey(source, part, object), `${name}: ${refusal}`);
        context.info(`${name} will be tried again: ${refusal}`);
      }
      progress.finish(position);
    },
  );
}

interface Unrestored {
  readonly type: ServedType;
  readonly part: Part;
  readonly object: KubernetesObject;
  readonly position: number;
  readonly progress: PartProgress;
}

async function* unrestored(
  { parts: { restore }, context, source, discovery }: NamespacedRestore,
  parts: readonly Part[],
): AsyncGenerator<Unrestored> {
  for (const part of parts) {
    const type = servedType(discovery, part);
    if (!type) {
      const { objects } = part;
      const text = "were not restored: the cluster serves no version of this kind";
      tellGivenUp(context, source, { what: `${objects} ${resourceName(part)}`, text, objects });
      failWhenTooMany({ restore }, context, source);
      continue;
    }
    const progress = new PartProgress(context, part, `${source.notesPrefix}restored/${part.file}`);
    if (progress.done >= part.objects) continue;
    let position = 0;
    for await (const { object } of objectsOf(source, [part], context.signal)) {
      if (++position <= progress.done) continue;
      progress.begin(position);
      yield { type, part, object, position, progress };
    }
  }
}

/** How far a part has come, noted after so many objects and at its end. */
class PartProgress {
  /** So many objects from the part's beginning are restored, as far as it was noted. */
  done: number;
  readonly #context: JobContext;
  readonly #part: Part;
  readonly #key: string;
  /** In the order of the part. */
  readonly #underWay = new Set<number>();
  #last = 0;

  constructor(context: JobContext, part: Part, key: string) {
    this.#context = context;
    this.#part = part;
    this.#key = key;
    this.done = context.notes.get<number>(key) ?? 0;
  }

  begin(position: number): void {
    this.#underWay.add(position);
    this.#last = position;
  }

  finish(position: number): void {
    this.#underWay.delete(position);
    const [first] = this.#underWay;
    const done = first === undefined ? this.#last : first - 1;
    const isWhole = done === this.#part.objects;
    if (done - this.done < batchSize && !isWhole) return;
    this.done = done;
    this.#context.notes.set(this.#key, done);
    this.#context.progressed();
    if (isWhole) this.#context.info(`restored ${this.#part.objects} ${resourceName(this.#part)}`);
  }
}

/**
 * Tries those objects again that were refused before: a webhook, or what converts between versions, may be up by now. One
 * that is refused still is an error that names it, and is among the names given. FAILED_PRECONDITION as `failWhenTooMany`
 * says.
 */
export async function restoreRefused(restore: NamespacedRestore): Promise<ReadonlySet<string>> {
  const { parts, context, source, discovery } = restore;
  const { notes, signal } = context;
  const stillRefused = new Set<string>();
  for (const part of source.reader.parts) {
    const type = servedType(discovery, part);
    const refused = new Set([...notes.entries(refusedKey(source, part))].map(([key]) => key));
    if (refused.size === 0 || !type) continue;
    await forEachInFlight(objectsOf(source, [part], signal), parts.limits.clusterConcurrency, async ({ object }) => {
      const key = refusedKey(source, part, object);
      if (!refused.has(key)) return;
      const refusal = await restoreOne(restore, type, object);
      const { namespace = "", name } = object.metadata;
      if (refusal !== undefined) {
        tellGivenUp(context, source, { namespace, what: `${type.kind} ${name}`, text: `was not restored: ${refusal}` });
        stillRefused.add(nameOf(namespace, type, name));
      }
      notes.clear(key);
      failWhenTooMany(parts, context, source);
    });
  }
  return stillRefused;
}

/** Where it is noted that an object, or any of its kind, was refused. */
function refusedKey({ notesPrefix }: RestoreSource, type: ResourceType, object?: KubernetesObject): string {
  const kind = `${notesPrefix}${refusedNotes}${resourceName(type)}/`;
  return object === undefined ? kind : `${kind}${object.metadata.namespace ?? ""}/${object.metadata.name}/`;
}

/** Gives the refusal of an object that the cluster does not take. */
async function restoreOne(
  restore: NamespacedRestore,
  type: ServedType,
  archived: KubernetesObject,
): Promise<string | undefined> {
  const { parts, context, links } = restore;
  const { cluster } = parts;
  const { signal, warn } = context;
  const { namespace = "", name } = archived.metadata;
  if (isFinishedPod(type, archived)) {
    context.info(`pod ${namespace}/${name} had finished and is not run again`);
    return undefined;
  }
  const isFinished = resourceName(type) === "jobs.batch" && isFinishedJob(archived);
  const object = wantedObject(type, archived);
  const owners = links.ownersFor(type, archived);
  if (owners.length > 0) object.metadata.ownerReferences = [...owners];
  try {
    const { metadata } = await new ObjectRestorer({ cluster, signal, warn }).restore(type, object);
    links.restored(archived.metadata.uid, metadata.uid);
    if (isFinished) await markFinished(cluster, type, archived, signal);
    if (type.hasStatus && parts.restore.statusOf.includes(resourceName(type)))
      await restoreStatus(cluster, type, archived, signal);
    await restoreFieldOwners(cluster, type, archived, signal);
    return undefined;
  } catch (error) {
    return refusalOf(error);
  }
}

/** For kinds whose controllers keep in the status what they cannot find out again. */
async function restoreStatus(
  cluster: JobParts["cluster"],
  type: ResourceType,
  archived: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  const { status, metadata } = archived;
  if (status !== undefined)
    await cluster.patch(type, metadata.namespace ?? "", metadata.name, { status }, signal, "status");
}
