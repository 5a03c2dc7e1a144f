import { setTimeout as sleep } from "node:timers/promises";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { hasStatus, isDenied } from "../../kubernetes/kubernetes-error.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { isMirrorPod } from "../../kinds/core/pod.ts";
import { listed } from "../../objects/listed.ts";
import type { Scope } from "../source/scope.ts";
import { isStopped } from "../plan/stopped-objects.ts";
import { pods, type RunningKind, runningKinds, stop, whoStarts } from "./running-kinds.ts";
import { removeWebhooks } from "../calls/webhooks.ts";

/** Between stopping something and stopping it again: whatever restarts it must not overload the API server. */
const firstPauseMs = 100;
const longestPauseMs = 2_000;

/**
 * Stops everything in the scope that runs, again and again until all is still: nothing had to be stopped, and no pod is
 * there. All changed objects are in the safety archive, replica counts too, so it may run again at any point, and where all is
 * still it only looks.
 *
 * FAILED_PRECONDITION after `podsStopTimeout` names the workloads that are started again and by whom, or else the pods that stay.
 */
export async function stopApps({ cluster, limits }: JobDeps, context: JobContext, scope: Scope): Promise<void> {
  const { signal } = context;
  const { targetNamespaces: namespaces, wholeNamespaces } = scope;
  const limit = Date.now() + limits.podsStopTimeout;
  const reported = new Set<string>();
  const stopOne = async (object: KubernetesObject, type: RunningKind) => {
    try {
      return await stop(cluster, type, object, signal);
    } catch (error) {
      const { cause } = error as Error;
      if (!hasStatus(cause, 500) && !isDenied(cause)) throw error;
      await removeWebhooks({ cluster }, context, wholeNamespaces); // a recreated one may have refused it
      return stop(cluster, type, object, signal);
    }
  };
  for (let round = 1; ; round++) {
    const stopped = new Map<string, number>();
    const started = new Set<string>();
    for (const namespace of namespaces)
      for (const type of runningKinds)
        await forEachInFlight(cluster.list(type, namespace, signal), limits.clusterConcurrency, async (object) => {
          if (!isStopped(scope, type, object)) return;
          const path = await stopOne(object, type);
          if (!path) return;
          const what = `${type.resource} in ${namespace}`;
          stopped.set(what, (stopped.get(what) ?? 0) + 1);
          const again = round === 1 ? undefined : whoStarts(type, object, path);
          if (again !== undefined) started.add(again);
        });
    if (round === 1) for (const [what, count] of stopped) context.info(`stopped ${count} ${what}`);
    const news = [...started.difference(reported)];
    if (news.length > 0) context.info(`was started again, and stopped again: ${listed(news)}`, "DRS-R038");
    for (const name of news) reported.add(name);
    const left = new Map<string, readonly string[]>();
    for (const namespace of namespaces) {
      const timeoutMs = Math.max(limit - Date.now(), 0);
      const names = await podsLeft(cluster, scope, namespace, timeoutMs, signal);
      if (names.length > 0) left.set(namespace, names);
    }
    await removeWebhooks({ cluster }, context, wholeNamespaces); // workloads that ran until now may have recreated them
    if (stopped.size === 0 && left.size === 0) return;
    if (Date.now() >= limit) {
      if (started.size > 0) throw startedAgain([...started], limits.podsStopTimeout);
      for (const [namespace, names] of left) throw notStopped(namespace, names, limits.podsStopTimeout);
    }
    if (round > 1) await sleep(Math.min(firstPauseMs * 2 ** (round - 2), longestPauseMs), undefined, { signal });
  }
}

/** Waits until no pod runs, or until one is seen that nobody has stopped yet; gives the pods that are there then. */
async function podsLeft(
  cluster: Cluster,
  scope: Scope,
  namespace: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const left = new Set<string>();
  let isNew = false;
  const see = (pod: KubernetesObject, gone: boolean) => {
    const { name, deletionTimestamp } = pod.metadata;
    if (!isStopped(scope, pods, pod)) return;
    if (gone || !isRunning(pod)) left.delete(name);
    else left.add(name);
    isNew ||= left.has(name) && deletionTimestamp === undefined;
  };
  await waitFor(cluster, { type: pods, namespace, timeoutMs, signal }, see, () => isNew || left.size === 0);
  return [...left];
}

/** Mirror pods belong to their node; pods that have ended use no volume. */
function isRunning(pod: KubernetesObject): boolean {
  const { phase } = (pod["status"] ?? {}) as { phase?: string };
  const ended = phase === "Succeeded" || phase === "Failed";
  return !ended && !isMirrorPod(pod);
}

function startedAgain(names: readonly string[], timeoutMs: number): DrsError {
  return new DrsError(
    "FAILED_PRECONDITION",
    `workloads that were stopped have been started again for ${timeoutMs / 1000} s: ${listed(names)}; ` +
      "pause whatever does that until the restore is over, and restore again",
    { id: "DRS-R038" },
  );
}

function notStopped(namespace: string, names: readonly string[], timeoutMs: number): DrsError {
  return new DrsError(
    "FAILED_PRECONDITION",
    `pods of ${namespace} have not stopped within ${timeoutMs / 1000} s: ${listed(names)}; ` +
      "see whether their node is alive, and restore again when they are gone",
    { id: "DRS-R040" },
  );
}
