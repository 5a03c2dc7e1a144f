import type { Part } from "../../archive/format.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { hasStatus, isAllocationRefusal, isDenied, type KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";
import { fateOf } from "../objects/cluster-scoped.ts";
import { digestOf } from "../compare/comparison.ts";
import { knownByName, type LiveByName, listedByName } from "../compare/live-by-name.ts";
import type { LiveObject } from "../compare/live-objects.ts";
import { nameOf } from "../../objects/object-names.ts";
import { restoredMetadata } from "../objects/namespaces.ts";
import { refusalIn } from "./refusals.ts";
import { isClaim } from "../../kinds/core/claim.ts";
import { isNamespace } from "../../kinds/core/namespace.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { savedObjectsOf, volumesOf } from "../source/restore-source.ts";
import { digestsFor, savedNamesOf } from "../source/saved-names.ts";
import { runningKinds } from "../stop/running-kinds.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import { type ServedType, servedType } from "../../kinds/served-types.ts";
import type { Trial } from "./trial.ts";
import { wantedObject } from "../../kinds/wanted-object.ts";
import { isVolume } from "../../kinds/core/persistent-volume.ts";

/** Whether objects of a kind are made otherwise than by creating the saved object. */
function isMadeOtherwise(type: ResourceType): boolean {
  const { wave } = rulesOf(type);
  return wave === "calls" || wave === "policies" || wave === "snapshots" || isVolume(type);
}

/** Each kind that is being tried may have a list of its live objects in memory. */
const kindsAtOnce = 4;

/** Called with each request to the API server, and its refusal. */
export type OnAnswer = (tried: Tried, refusal: KubernetesError | undefined) => void;

/** The work for an archived object: it is missing, it differs, or it is deleted and recreated. */
export interface Tried {
  readonly type: ServedType;
  readonly archived: KubernetesObject;
  readonly deed: "make" | "change" | "replace";
  /** What is there, when it was listed for this. */
  readonly live?: RawObject;
}

/**
 * Asks the API server whether it would take every write by which the restore makes the cluster hold the saved objects: with
 * the bodies that it will send. Objects that are as they were saved are left alone, and not tried. Those in a namespace that does
 * not exist, or of a kind that is yet to be defined, cannot be tried.
 */
export async function tryObjects(trial: Trial, onAnswer: OnAnswer): Promise<void> {
  const { source, definitions, deps, findings } = trial;
  const isTried = (part: Part) => !isMadeOtherwise(part) && !definitions.coming.has(resourceName(part));
  const kinds = source.reader.parts.filter(isTried);
  await forEachInFlight(kinds, kindsAtOnce, (part) =>
    forEachInFlight(whatToTry(trial, part), deps.limits.clusterConcurrency, async (tried) => {
      findings.tried++;
      const isChange = tried.deed === "change";
      onAnswer(tried, await (isChange ? refusalOfChange(trial, tried) : refusalOfCreation(trial, tried)));
    }),
  );
}

async function* whatToTry(trial: Trial, part: Part): AsyncGenerator<Tried> {
  const { source, discovery, signal, namespaces, findings } = trial;
  const type = servedType(discovery, part);
  if (!type) return;
  const same = await untouchedIn(trial, part, type);
  if (same !== undefined) {
    findings.same += same;
    return;
  }
  let at: string | undefined;
  let live: LiveByName | undefined;
  try {
    for await (const saved of savedObjectsOf(source, part, signal)) {
      const { namespace = "", name } = saved.metadata;
      if (type.namespaced && !namespaces.has(namespace)) continue;
      if (type.namespaced && namespace !== at) {
        await live?.close();
        live = await liveIn(trial, part, type, namespace);
      }
      at = namespace;
      const found = await live?.find(name);
      if (found?.is === "untouched" && !mayBeReplaced(type)) {
        findings.same++;
        continue;
      }
      const archived = saved.object();
      source.index.kept.keep(part, namespace, name, saved.raw);
      if (rulesOf(type).isOver?.(archived)) continue;
      const deed = live ? deedInNamespace(trial, type, archived, found?.is) : await deedOutside(trial, type, archived);
      if (deed === "nothing") findings.same++;
      else yield { type, archived, deed, ...(found?.raw && { live: found.raw }) };
    }
  } finally {
    await live?.close();
  }
}

/** The live objects of a kind in a namespace as they were seen, or else listed while the archive's go by. */
async function liveIn({ source, deps, signal }: Trial, part: Part, type: ServedType, namespace: string) {
  const seen = source.index.seen.of(type, namespace);
  if (seen !== undefined) return knownByName(seen);
  const digests = await digestsFor(source, part, namespace, signal);
  return listedByName({ cluster: deps.cluster, type, namespace, signal }, digests);
}

/** How many objects of a part may be left alone, when that is known of all of them without reading it. */
async function untouchedIn(
  { source, namespaces, signal }: Trial,
  part: Part,
  type: ServedType,
): Promise<number | undefined> {
  if (!type.namespaced || mayBeReplaced(type)) return undefined;
  let count = 0;
  for (const [namespace, names] of await savedNamesOf(source, part, signal)) {
    if (!namespaces.has(namespace)) continue;
    const seen = source.index.seen.of(type, namespace);
    if (!names.keys().every((name) => seen?.untouched.has(name))) return undefined;
    count += names.size;
  }
  return count;
}

/** Whether objects of a kind may be deleted and recreated, though they are as they were saved. */
function mayBeReplaced(type: ServedType): boolean {
  return isClaim(type) || runningKinds.some((running) => resourceName(running) === resourceName(type));
}

/** Whether an object is stopped by its deletion, and recreated. */
function isStoppedByDeletion(type: ServedType, object: KubernetesObject): boolean {
  const kind = runningKinds.find((running) => resourceName(running) === resourceName(type));
  return kind !== undefined && !kind.stopped && kind.runs?.(object) !== false;
}

function deedInNamespace(
  { source }: Trial,
  type: ServedType,
  archived: KubernetesObject,
  live: LiveObject | "untouched" | undefined,
): Tried["deed"] | "nothing" {
  if (live === undefined) return "make";
  if (isClaim(type)) {
    const { namespace, name } = archived.metadata;
    const isSaved = volumesOf(source).some((it) => it.namespace === namespace && it.claim === name);
    return isSaved ? "replace" : "nothing";
  }
  if (isStoppedByDeletion(type, archived)) return "replace";
  return live === "untouched" || live.digest === digestOf(type, archived) ? "nothing" : "change";
}

async function deedOutside(
  trial: Trial,
  type: ServedType,
  archived: KubernetesObject,
): Promise<Tried["deed"] | "nothing"> {
  const { source, signal } = trial;
  const { cluster } = trial.deps;
  const existing = await cluster.get(type, "", archived.metadata.name, signal);
  if (isNamespace(type)) return existing ? "change" : "make";
  const wanted = sanitize(type, archived);
  const fate = await fateOf(cluster, new Set(source.targetNamespaces), type, wanted, existing, signal);
  return fate === "made" ? "make" : fate === "put back" ? "change" : "nothing";
}

/** A workload that may not be without replicas is made with them; a service that cannot have its addresses, with others. */
async function refusalOfCreation(trial: Trial, { type, archived }: Tried): Promise<KubernetesError | undefined> {
  const { cluster } = trial.deps;
  const { namespace = "" } = archived.metadata;
  const ask = (body: KubernetesObject) => refusalIn(() => cluster.dryRun.create(type, namespace, body, trial.signal));
  const body = wantedObject(type, archived);
  const refusal = await ask(body);
  if (!refusal) return undefined;
  const { withoutAllocations, isScaled } = rulesOf(type);
  if (withoutAllocations && isAllocationRefusal(refusal)) return ask(withoutAllocations(body));
  const isHeld = trial.refusals.weigh(refusal, namespace) === "held";
  if (!isHeld || !isScaled) return refusal;
  return (await ask(wantedObject(type, archived, { started: true }))) && refusal;
}

const conflictsTaken = 3;

/** For fields that can be set only once the answer to a creation counts: they are changed by it. */
async function refusalOfChange(trial: Trial, tried: Tried): Promise<KubernetesError | undefined> {
  const { type, archived } = tried;
  const { signal } = trial;
  const { cluster } = trial.deps;
  const { namespace = "", name } = archived.metadata;
  for (let attempt = 1; ; attempt++) {
    const seen = attempt === 1 ? (tried.live ?? trial.source.index.seen.rawOf(type, namespace, name)) : undefined;
    const live = seen ?? (await rawObject(cluster, type, namespace, name, signal));
    if (!live) return refusalOfCreation(trial, tried);
    const body = inPlaceOf(live, wantedObject(type, archived));
    const patch = patchOf(type, live, archived, body);
    const refusal = await refusalIn(() =>
      patch
        ? cluster.dryRun.patch(type, namespace, name, patch, signal)
        : cluster.dryRun.replace(type, namespace, body, signal),
    );
    if (!refusal) {
      if (!patch) await reportWayBack(trial, type, live);
      return undefined;
    }
    if (hasStatus(refusal, 409) && attempt < conflictsTaken) continue;
    if (!hasStatus(refusal, 422) || isDenied(refusal)) return refusal;
    const other = await refusalOfCreation(trial, tried);
    return other && trial.refusals.weigh(other, namespace) === "held" ? refusal : undefined;
  }
}

async function rawObject(cluster: Cluster, type: ServedType, namespace: string, name: string, signal: AbortSignal) {
  const bytes = await cluster.getRaw(type, namespace, name, signal);
  return bytes && new RawObject(bytes);
}

async function reportWayBack({ deps, refusals, findings, signal }: Trial, type: ServedType, live: RawObject) {
  const { namespace = "", name } = live.metadata;
  const refusal = await refusalIn(() => deps.cluster.dryRun.replace(type, namespace, live, signal));
  if (refusal && refusals.weigh(refusal, namespace) === "held")
    findings.oneWay.push(`${nameOf(namespace, type, name)}: ${refusal.message}`);
}

/** Kinds that are patched, not replaced: the cluster keeps things of its own there. */
function patchOf(
  type: ServedType,
  live: RawObject,
  archived: KubernetesObject,
  body: KubernetesObject,
): object | undefined {
  if (isNamespace(type)) return { metadata: restoredMetadata(live.object, archived) };
  return rulesOf(type).merge?.(live.object, body);
}

function inPlaceOf({ metadata: live }: RawObject, wanted: KubernetesObject): KubernetesObject {
  const { uid, resourceVersion, ownerReferences } = live;
  const kept = { ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) };
  return { ...wanted, metadata: { ...wanted.metadata, ...kept, ...(ownerReferences && { ownerReferences }) } };
}
