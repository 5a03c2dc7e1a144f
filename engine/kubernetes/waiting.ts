import type { Cluster } from "./cluster.ts";
import type { KubernetesObject, ResourceType } from "./kubernetes-object.ts";
import type { ListOptions } from "./object-list.ts";

export interface Wait {
  readonly type: Pick<ResourceType, "apiVersion" | "resource">;
  /** Empty: all of them, or cluster-scoped. */
  readonly namespace: string;
  readonly options?: ListOptions;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Follows a collection until `isDone` says so, asked after the first whole look and after every change; false when the
 * time is up before. `see` is told of every object, of every change to one, and of each that goes.
 */
export async function waitFor(
  cluster: Cluster,
  wait: Wait,
  see: (object: KubernetesObject, gone: boolean) => void,
  isDone: () => boolean,
): Promise<boolean> {
  const limit = AbortSignal.timeout(wait.timeoutMs);
  const signal = AbortSignal.any([wait.signal, limit]);
  let present = new Map<string, KubernetesObject>();
  let relisted: Map<string, KubernetesObject> | undefined = new Map();
  try {
    for await (const sighting of cluster.watch(wait.type, wait.namespace, signal, wait.options)) {
      if (sighting === "relisting") relisted = new Map();
      else if (sighting === "listed") {
        for (const [key, object] of present) if (relisted?.has(key) === false) see(object, true);
        present = relisted ?? present;
        relisted = undefined;
      } else {
        const key = `${sighting.object.metadata.namespace ?? ""}/${sighting.object.metadata.name}`;
        if (sighting.gone) present.delete(key);
        else (relisted ?? present).set(key, sighting.object);
        see(sighting.object, sighting.gone);
      }
      if (relisted === undefined && isDone()) return true;
    }
    return false;
  } catch (error) {
    wait.signal.throwIfAborted();
    if (limit.aborted) return false;
    throw error;
  }
}

/**
 * Waits until no object of a collection matches; gives those that are still there when the time is up, none when all are
 * gone. `onCount` is told how many are left, as that changes.
 */
export async function waitUntilGone(
  cluster: Cluster,
  wait: Wait,
  matches: (object: KubernetesObject) => boolean,
  onCount?: (left: number) => void,
): Promise<readonly KubernetesObject[]> {
  const left = new Map<string, KubernetesObject>();
  const gone = await waitFor(
    cluster,
    wait,
    (object, isGone) => {
      const key = `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
      if (isGone || !matches(object)) left.delete(key);
      else left.set(key, object);
      onCount?.(left.size);
    },
    () => left.size === 0,
  );
  return gone ? [] : [...left.values()];
}
