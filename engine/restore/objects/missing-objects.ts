import type { Part } from "../../archive/format.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import type { ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { nameOf } from "../../objects/object-names.ts";
import { isAbandoned, refusedSoFar } from "./refused-objects.ts";
import type { NamespacedRestore } from "./restore-object.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import type { Wave } from "../../kinds/restoring-rules.ts";
import { type RestoreSource, savedObjectsOf } from "../source/restore-source.ts";
import { refusedKey, refusedNames } from "./restoring-refused.ts";
import { savedNames } from "../source/saved-names.ts";
import { isClaimLeftOut } from "../plan/left-out.ts";
import { type ServedType, servedType } from "../../kinds/served-types.ts";
import { isClaim } from "../../kinds/core/claim.ts";

const kindsAtOnce = 4;

export interface MissingObject {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
}

/** Reports restored objects that are gone again: none is said to be restored that was not looked for. */
export async function reportMissing(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  for (const { type, namespace, name } of await missingObjects(source, deps, context))
    context.warn("DRS-R062", namespace, `${type.kind} ${name} was restored but no longer exists: see who deleted it`);
}

/** The missing saved objects of namespaces, except those whose refusal is noted or reported. */
export async function missingObjects(
  source: RestoreSource,
  { cluster }: Pick<JobDeps, "cluster">,
  context: JobContext,
): Promise<readonly MissingObject[]> {
  const { signal } = context;
  const discovery = await cluster.discover(signal);
  const missing = new Map<Part, readonly MissingObject[]>();
  await forEachInFlight(source.reader.parts, kindsAtOnce, async (part) => {
    const type = servedType(discovery, part);
    if (!part.namespaced || !type || !isLookedFor(part)) return;
    const found = await missingOf(source, part, type, cluster, context);
    missing.set(part, await thoseThatStay(source, part, found, signal));
  });
  return source.reader.parts.flatMap((part) => missing.get(part) ?? []);
}

async function missingOf(
  source: RestoreSource,
  part: Part,
  type: ServedType,
  cluster: Cluster,
  context: JobContext,
): Promise<readonly MissingObject[]> {
  const { signal } = context;
  const refused = refusedNames(context, source, part);
  const found: MissingObject[] = [];
  for (const [namespace, saved] of await savedNames(source, part, signal)) {
    const left = new Set(saved);
    try {
      for await (const { metadata } of cluster.listMetadata(type, namespace, signal)) left.delete(metadata.name);
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
    }
    for (const name of left)
      if (!refused.has(`${namespace}/${name}`) && !isReported(context, source, part.kind, namespace, name))
        found.push({ type: part, namespace, name });
  }
  return found;
}

/** A finished job that says how long it stays may be gone by now, and of some claims a scratch restore makes no copy. */
async function thoseThatStay(
  source: RestoreSource,
  part: Part,
  found: readonly MissingObject[],
  signal: AbortSignal,
): Promise<readonly MissingObject[]> {
  if (found.length === 0) return found;
  const left = new Map(found.map((one) => [`${one.namespace}/${one.name}`, one]));
  for await (const { metadata, object } of savedObjectsOf(source, part, signal)) {
    const key = `${metadata.namespace ?? ""}/${metadata.name}`;
    if (!left.has(key)) continue;
    const saved = object();
    const { ttlSecondsAfterFinished } = (saved["spec"] ?? {}) as { ttlSecondsAfterFinished?: number };
    const isLeftOut = isClaim(part) && isClaimLeftOut(source, saved);
    if (ttlSecondsAfterFinished !== undefined || isLeftOut) left.delete(key);
  }
  return [...left.values()];
}

/** Users' snapshots that have gone are reported elsewhere. */
function isLookedFor(type: ResourceType): boolean {
  const { comesAndGoes, wave } = rulesOf(type);
  return !comesAndGoes && wave !== "snapshots";
}

/** Claims have phases of their own, and quotas come last. */
const notMadeAgain: readonly (Wave | undefined)[] = ["volumes", "quotas"];

/**
 * Notes what has gone since it was restored, or was left as saved, for `restoreRefused` to make it again: the garbage
 * collector takes what an owner had that was on its way out, before the object that is made in its place can own it. Returns whether
 * nothing had gone, nor was refused.
 * https://kubernetes.io/docs/concepts/architecture/garbage-collection/
 */
export async function noteGone({ source, deps, context }: NamespacedRestore): Promise<boolean> {
  const missing = await missingObjects(source, deps, context);
  if (missing.length === 0 && refusedSoFar(context, source).length === 0) return true;
  for (const { type, namespace, name } of missing) {
    if (notMadeAgain.includes(rulesOf(type).wave)) continue;
    const what = nameOf(namespace, type, name);
    const { apiVersion, kind } = type;
    const key = refusedKey(source, type, { apiVersion, kind, metadata: { namespace, name } });
    context.notes.set(key, `${what}: it has gone`);
    context.info(`${what} is gone again, and is recreated`);
  }
  return false;
}

/** Whether an error names the object already, as one that was not restored or not started. */
function isReported(
  context: JobContext,
  source: RestoreSource,
  kind: string,
  namespace: string,
  name: string,
): boolean {
  return (
    isAbandoned(context, source, namespace, `${kind} ${name}`) ||
    isAbandoned(context, source, "", `${kind} ${namespace}/${name}`)
  );
}
