import type { Part } from "../archive/format.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { digestOf, statusDigest } from "./comparison.ts";
import { isFinishedJob, isFinishedPod, markFinished } from "./finished-jobs.ts";
import { keepsStatus, type LiveObject, liveObject, liveObjects } from "./live-objects.ts";
import { nameOf } from "./object-names.ts";
import { ObjectRestorer, refusalOf } from "./object-restorer.ts";
import type { OwnerLinks } from "./owner-links.ts";
import { failWhenTooMany, refusedNotes, tellGivenUp } from "./refused-objects.ts";
import { objectsOf, type RestoreSource } from "./restore-source.ts";
import { type ServedType, servedType } from "./served-types.ts";
import { wantedObject } from "./wanted-object.ts";

/** After so many objects that were written the step counts as having come further. */
const batchSize = 500;

export interface NamespacedRestore {
  readonly parts: Pick<JobParts, "cluster" | "limits" | "restore">;
  readonly context: JobContext;
  readonly source: RestoreSource;
  readonly discovery: Discovery;
  readonly links: OwnerLinks;
}

/**
 * Makes all objects of some parts as they were saved, many at once: what is as saved is left where it is, all else is
 * updated, recreated or created. One that the cluster refuses is noted for `restoreRefused`, and the rest goes on. A workload
 * that is made has no replicas; with `started` everything is made as it runs. May run again: what it has done is as saved.
 */
export async function restoreObjects(
  restore: NamespacedRestore,
  parts: readonly Part[],
  { started = false } = {},
): Promise<void> {
  const { context, source } = restore;
  const counts = new PartCounts(context);
  await forEachInFlight(
    compared(restore, parts),
    restore.parts.limits.clusterConcurrency,
    async ({ type, part, object, live }) => {
      const outcome = await restoreOne(restore, type, object, { live, started });
      if (outcome !== "left" && outcome !== "written") {
        const name = nameOf(object.metadata.namespace ?? "", type, object.metadata.name);
        context.notes.set(refusedKey(source, part, object), `${name}: ${outcome.refusal}`);
        context.info(`${name} will be tried again: ${outcome.refusal}`);
      }
      counts.add(part, outcome);
    },
  );
  counts.tell();
}

interface Compared {
  readonly type: ServedType;
  readonly part: Part;
  readonly object: KubernetesObject;
  readonly live: LiveObject | undefined;
}

/** The saved objects of some parts, each with what is there of its name. */
async function* compared(
  { parts: { cluster, restore }, context, source, discovery }: NamespacedRestore,
  parts: readonly Part[],
): AsyncGenerator<Compared> {
  for (const part of parts) {
    const type = servedType(discovery, part);
    if (!type) {
      const { objects } = part;
      const text = "were not restored: the cluster serves no version of this kind";
      tellGivenUp(context, source, { what: `${objects} ${resourceName(part)}`, text, objects });
      failWhenTooMany({ restore }, context, source);
      continue;
    }
    let at: string | undefined;
    let there: ReadonlyMap<string, LiveObject> = new Map();
    for await (const { object } of objectsOf(source, [part], context.signal)) {
      const { namespace = "", name } = object.metadata;
      if (namespace !== at) there = await liveObjects(cluster, type, namespace, context.signal);
      at = namespace;
      yield { type, part, object, live: there.get(name) };
    }
  }
}

/** How many objects of each kind were written, left, and refused: told as each is done with. */
class PartCounts {
  readonly #context: JobContext;
  readonly #counts = new Map<Part, { written: number; left: number; refused: number }>();
  #sinceProgress = 0;

  constructor(context: JobContext) {
    this.#context = context;
  }

  add(part: Part, outcome: Outcome): void {
    const counts = this.#counts.get(part) ?? { written: 0, left: 0, refused: 0 };
    this.#counts.set(part, counts);
    if (outcome === "left") counts.left++;
    else if (outcome === "written") counts.written++;
    else counts.refused++;
    if (outcome === "written" && ++this.#sinceProgress >= batchSize) {
      this.#sinceProgress = 0;
      this.#context.progressed();
    }
  }

  tell(): void {
    for (const [part, { written, left, refused }] of this.#counts) {
      const also = [left > 0 && `${left} were as saved`, refused > 0 && `${refused} were refused`].filter(Boolean);
      this.#context.info(`restored ${[`${written} ${resourceName(part)}`, ...also].join(", ")}`);
      if (written > 0) this.#context.progressed();
    }
  }
}

/**
 * Tries those objects again that were refused before: a webhook, or what converts between versions, may be up by now.
 * Gives the names of those that are refused still. On the way there they are errors that name them, and FAILED_PRECONDITION
 * is thrown as `failWhenTooMany` says; on the way back they stay noted, to be tried again.
 */
export async function restoreRefused(restore: NamespacedRestore): Promise<ReadonlySet<string>> {
  const { parts, context, source, discovery } = restore;
  const { notes, signal } = context;
  const stillRefused = new Set<string>();
  for (const part of source.reader.parts) {
    const type = servedType(discovery, part);
    const refused = refusedNames(context, source, part);
    if (refused.size === 0 || !type) continue;
    await forEachInFlight(objectsOf(source, [part], signal), parts.limits.clusterConcurrency, async ({ object }) => {
      const { namespace = "", name } = object.metadata;
      if (!refused.has(`${namespace}/${name}`)) return;
      const key = refusedKey(source, part, object);
      const known = nameOf(namespace, type, name);
      const existing = await parts.cluster.get(type, namespace, name, signal);
      const live = existing && liveObject(type, existing);
      const outcome = await restoreOne(restore, type, object, { live, started: true });
      if (outcome === "left" || outcome === "written") {
        notes.clear(key);
        return;
      }
      stillRefused.add(known);
      if (source.isWayBack) {
        notes.set(key, `${known}: ${outcome.refusal}`);
        return;
      }
      const what = `${type.kind} ${name}`;
      const stays = existing ? "is not as saved, and stays as it is" : "was not restored";
      tellGivenUp(context, source, { namespace, what, text: `${stays}: ${outcome.refusal}` });
      notes.clear(key);
      failWhenTooMany(parts, context, source);
    });
  }
  return stillRefused;
}

/**
 * Makes a workload as it runs that was refused without replicas: some policies take none without. Gives whether it is there
 * then; one that is still refused stays noted for `restoreRefused`.
 */
export async function makeRunning(
  restore: NamespacedRestore,
  type: ServedType,
  archived: KubernetesObject,
): Promise<boolean> {
  const { context, source } = restore;
  const { namespace = "", name } = archived.metadata;
  if (!refusedNames(context, source, type).has(`${namespace}/${name}`)) return false;
  const outcome = await restoreOne(restore, type, archived, { live: undefined, started: true });
  const isThere = outcome === "left" || outcome === "written";
  if (isThere) context.notes.clear(refusedKey(source, type, archived));
  return isThere;
}

/** The refused objects of a kind that are to be tried again, as `namespace/name`. */
export function refusedNames({ notes }: JobContext, source: RestoreSource, type: ResourceType): ReadonlySet<string> {
  const prefix = refusedKey(source, type);
  return new Set([...notes.entries(prefix)].map(([key]) => key.slice(prefix.length, -1)));
}

/** Where it is noted that an object, or any of its kind, was refused. */
export function refusedKey({ notesPrefix }: RestoreSource, type: ResourceType, object?: KubernetesObject): string {
  const kind = `${notesPrefix}${refusedNotes}${resourceName(type)}/`;
  return object === undefined ? kind : `${kind}${object.metadata.namespace ?? ""}/${object.metadata.name}/`;
}

type Outcome = "left" | "written" | { readonly refusal: string };

/** Makes one object as it was saved. What the cluster says when it does not take it is given, not thrown. */
async function restoreOne(
  restore: NamespacedRestore,
  type: ServedType,
  archived: KubernetesObject,
  { live, started }: { readonly live: LiveObject | undefined; readonly started: boolean },
): Promise<Outcome> {
  const { parts, context, links } = restore;
  const { cluster } = parts;
  const { signal, warn, info } = context;
  const { finalizerTimeout } = parts.limits;
  const { namespace = "", name } = archived.metadata;
  try {
    if (live && !live.isTerminating && live.digest === digestOf(type, archived)) {
      links.restored(archived.metadata.uid, live.uid);
      links.left(type, archived, live.owners);
      if (resourceName(type) === "jobs.batch" && !isFinishedJob(archived))
        await resumeJob(cluster, type, archived, signal);
      if (!keepsStatus(type) || live.statusDigest === statusDigest(archived)) return "left";
      await restoreStatus(cluster, type, archived, signal);
      return "written";
    }
    if (isFinishedPod(type, archived)) {
      info(`pod ${namespace}/${name} had finished and is not run again`);
      return "left";
    }
    const object = wantedObject(type, archived, { started });
    const owners = links.ownersFor(type, archived);
    if (owners.length > 0) object.metadata.ownerReferences = [...owners];
    const { metadata } = await new ObjectRestorer({ cluster, signal, warn, info, finalizerTimeout }).restore(
      type,
      object,
      live,
    );
    links.restored(archived.metadata.uid, metadata.uid);
    if (resourceName(type) === "jobs.batch" && isFinishedJob(archived))
      await markFinished(cluster, type, archived, signal);
    const isWanted = type.hasStatus && parts.restore.statusOf.includes(resourceName(type));
    if (isWanted || (live !== undefined && metadata.uid === live.uid && keepsStatus(type)))
      await restoreStatus(cluster, type, archived, signal);
    await restoreFieldOwners(cluster, type, archived, signal);
    return "written";
  } catch (error) {
    return { refusal: refusalOf(error) };
  }
}

/** A job that was stopped and has done nothing since the backup goes on. */
async function resumeJob(
  cluster: JobParts["cluster"],
  type: ServedType,
  archived: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = "", name } = archived.metadata;
  const { suspend = false } = archived["spec"] as { suspend?: boolean };
  await cluster.patch(type, namespace, name, { spec: { suspend } }, signal);
  await restoreFieldOwners(cluster, type, archived, signal);
}

/** Puts back a status that a controller would not find out again, or that tells of what is there no more. */
async function restoreStatus(
  cluster: JobParts["cluster"],
  type: ResourceType,
  { status = null, metadata }: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  await cluster.patch(type, metadata.namespace ?? "", metadata.name, { status }, signal, "status");
}
