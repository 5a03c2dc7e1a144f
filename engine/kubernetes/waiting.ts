import { DrsError } from "../errors.ts";
import type { Cluster } from "./cluster.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "./kubernetes-object.ts";
import type { ListOptions } from "./connection/object-list.ts";

export interface Wait {
  readonly type: Pick<ResourceType, "apiVersion" | "resource">;
  /** Empty: all of them, or cluster-scoped. */
  readonly namespace: string;
  readonly options?: ListOptions;
  /** From the call on; the first whole look is taken even where that takes longer. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The first whole look may take this long, however little time there is: nothing can be said of objects nobody has looked at. */
const firstLookMs = 30_000;

/**
 * Follows a collection until `isDone` says so, asked after the first whole look and after every change; false when the
 * time is up before. `see` is called for every object, every change to one, and every deletion, then perhaps with no more
 * than `traceOf` keeps.
 *
 * UNAVAILABLE when the API server has not let it look even once, within the time or 30 s if that is longer.
 */
export async function waitFor(
  cluster: Cluster,
  wait: Wait,
  see: (object: KubernetesObject, gone: boolean) => void,
  isDone: () => boolean,
): Promise<boolean> {
  const start = Date.now();
  const limit = new AbortController();
  const endAt = (time: number) => setTimeout(() => limit.abort(), Math.max(time - Date.now(), 0));
  const lookLimitMs = Math.max(wait.timeoutMs, firstLookMs);
  let timer = endAt(start + lookLimitMs);
  let hasLooked = false;
  const signal = AbortSignal.any([wait.signal, limit.signal]);
  let present = new Map<string, KubernetesObject>();
  let relisted: Map<string, KubernetesObject> | undefined = new Map();
  try {
    for await (const sighting of cluster.watch(wait.type, wait.namespace, signal, wait.options)) {
      if (sighting === "relisting") relisted = new Map();
      else if (sighting === "listed") {
        for (const [key, object] of present) if (relisted?.has(key) === false) see(object, true);
        present = relisted ?? present;
        relisted = undefined;
        if (!hasLooked) {
          hasLooked = true;
          clearTimeout(timer);
          timer = endAt(start + wait.timeoutMs);
        }
      } else {
        const key = `${sighting.object.metadata.namespace ?? ""}/${sighting.object.metadata.name}`;
        if (sighting.gone) present.delete(key);
        else (relisted ?? present).set(key, traceOf(sighting.object));
        see(sighting.object, sighting.gone);
      }
      if (relisted === undefined && isDone()) return true;
    }
    return false;
  } catch (error) {
    wait.signal.throwIfAborted();
    if (!limit.signal.aborted) throw error;
    if (hasLooked) return false;
    const what = `${resourceName(wait.type)}${wait.namespace === "" ? "" : ` of ${wait.namespace}`}`;
    throw new DrsError("UNAVAILABLE", `the API server did not list the ${what} within ${lookLimitMs / 1000} s`, {
      id: "DRS-J011",
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** An object's identity and its holders: a collection's objects may be more than memory holds. */
function traceOf({ metadata, ...object }: KubernetesObject): KubernetesObject {
  const { name, namespace, uid, deletionTimestamp, finalizers } = metadata;
  const { error } = (object["status"] ?? {}) as { error?: unknown };
  return {
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(finalizers && { finalizers }),
    },
    ...(error !== undefined && { status: { error } }),
  };
}

/**
 * Waits until no object of a collection matches; returns what `traceOf` keeps of those that are still there when the time is
 * up, none when all are gone. UNAVAILABLE like `waitFor`.
 */
export async function waitUntilGone(
  cluster: Cluster,
  wait: Wait,
  matches: (object: KubernetesObject) => boolean,
): Promise<readonly KubernetesObject[]> {
  const left = new Map<string, KubernetesObject>();
  const gone = await waitFor(
    cluster,
    wait,
    (object, isGone) => {
      const key = `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
      if (isGone || !matches(object)) left.delete(key);
      else left.set(key, traceOf(object));
    },
    () => left.size === 0,
  );
  return gone ? [] : [...left.values()];
}

/** Waits until the object with this uid is gone. FAILED_PRECONDITION, with what holds it, when it is not in time. */
export async function isGone(
  cluster: Cluster,
  type: ResourceType,
  namespace: string,
  { name, uid }: { readonly name: string; readonly uid: string },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const options = { fieldSelector: `metadata.name=${name}` };
  const wait = { type, namespace, options, timeoutMs, signal };
  const [left] = await waitUntilGone(cluster, wait, ({ metadata }) => metadata.uid === uid);
  if (!left) return;
  const holders = left.metadata.finalizers?.join(", ") ?? "nothing but its time to end";
  throw new DrsError(
    "FAILED_PRECONDITION",
    `${type.kind} ${namespace === "" ? "" : `${namespace}/`}${name} was still there ${timeoutMs / 1000} s after its deletion, held by ${holders}`,
    { id: "DRS-R064" },
  );
}
