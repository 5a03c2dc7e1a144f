import { setTimeout as sleep } from "node:timers/promises";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { pods } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { listed } from "../../objects/listed.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { isUp } from "../../kinds/readiness.ts";

/** Interval of the log's lines about a long wait. */
const reportEveryMs = 30_000;
/** Between two looks at pods that count as ready and are on their way out. */
const lostPauseMs = 1_000;

/**
 * Waits until the named objects of one kind and namespace are up, each as far as the number says, telling from time to time
 * in the job's log which are not; returns those that are not by the `deadline` (a time of `Date.now`). At least one look is taken.
 */
export async function notReady(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  { signal, info }: JobContext,
  type: Pick<ResourceType, "apiVersion" | "kind" | "resource">,
  namespace: string,
  wanted: ReadonlyMap<string, number>,
  deadline: number,
): Promise<readonly string[]> {
  const present = new Map<string, KubernetesObject>();
  const isNamedUp = ([name, count]: readonly [string, number], lost: ReadonlyMap<string, number>) => {
    const object = present.get(name);
    return object !== undefined && isUp(type, object, count, lost.get(object.metadata.uid ?? ""));
  };
  const none: ReadonlyMap<string, number> = new Map();
  const missing = (lost = none) => [...wanted].filter((one) => !isNamedUp(one, lost)).map(([name]) => name);
  const see = (object: KubernetesObject, gone: boolean) => {
    const { name } = object.metadata;
    if (gone) present.delete(name);
    else if (wanted.has(name)) present.set(name, object);
  };
  let reportedAt = Date.now();
  for (;;) {
    present.clear();
    const timeoutMs = Math.min(Math.max(deadline - Date.now(), 0), reportEveryMs, limits.appsStartTimeout / 4);
    const done = await waitFor(cluster, { type, namespace, timeoutMs, signal }, see, () => missing().length === 0);
    const late = done ? missing(await lostPods(cluster, type, namespace, signal)) : missing();
    if (late.length === 0 || Date.now() >= deadline) return late;
    if (done) await sleep(lostPauseMs, undefined, { signal });
    if (done && Date.now() < reportedAt + reportEveryMs) continue;
    reportedAt = Date.now();
    info(`waiting for ${type.kind} ${listed(late)} of ${namespace}`);
  }
}

/**
 * The pods that a stateful or daemon set counts as ready although they are being deleted, as those of a dead node are until
 * it is back; how many, by their set's uid.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/controller/statefulset/stateful_set_control.go
 */
async function lostPods(
  cluster: Cluster,
  type: Pick<ResourceType, "apiVersion" | "resource">,
  namespace: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const lost = new Map<string, number>();
  if (!rulesOf(type).readiness?.countsLostPods) return lost;
  try {
    for await (const { metadata } of cluster.listMetadata(pods, namespace, signal)) {
      if (metadata.deletionTimestamp === undefined) continue;
      const uid = metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
      const pod = uid === undefined ? undefined : await cluster.get(pods, namespace, metadata.name, signal);
      if (uid !== undefined && pod && isPodReady(pod)) lost.set(uid, (lost.get(uid) ?? 0) + 1);
    }
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
  }
  return lost;
}

/** Whether a pod takes requests: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions */
export function isPodReady(pod: KubernetesObject): boolean {
  const { conditions = [] } = (pod["status"] ?? {}) as { conditions?: readonly { type: string; status: string }[] };
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}
