import { DrsError } from "../../errors.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import { isStopped } from "../plan/stopped-objects.ts";
import { refusalIn } from "./refusals.ts";
import { scaledWorkloads } from "../../kinds/restore-order.ts";
import { objectsOf, partsOf } from "../source/restore-source.ts";
import { runningKinds, stop } from "../stop/running-kinds.ts";
import { servedType } from "../../kinds/served-types.ts";
import type { Trial } from "./trial.ts";

/**
 * Asks the API server whether it lets everything be stopped that the restore stops, and be scaled up again to what was
 * saved: what may not is known before anything is touched.
 */
export async function tryToStop(trial: Trial): Promise<void> {
  const { source, deps, signal, namespaces, refusals, findings } = trial;
  const { cluster, limits } = deps;
  const collections = [...namespaces].flatMap((namespace) => runningKinds.map((type) => ({ namespace, type })));
  const inFlight = limits.clusterConcurrency;
  await forEachInFlight(collections, inFlight, ({ namespace, type }) =>
    forEachInFlight(cluster.list(type, namespace, signal), inFlight, async (object) => {
      if (!isStopped(source.scope, type, object)) return;
      try {
        await stop(cluster.dryRun, type, object, signal);
      } catch (error) {
        const { cause } = error as Error;
        if (!(error instanceof DrsError && cause instanceof KubernetesError)) throw error;
        const weight = refusals.weigh(cause, namespace);
        if (weight === "held") findings.unstoppable.set(error.message, error.id);
        if (weight === "inconclusive") findings.inconclusive.push(error.message);
      }
    }),
  );
}

/** Asks the API server whether it lets workloads that are there have their saved replica counts. */
export async function tryToStart(trial: Trial): Promise<void> {
  const { source, discovery, deps, signal, namespaces, findings } = trial;
  const { cluster, limits } = deps;
  const workloads = objectsOf(source, partsOf(source, scaledWorkloads), signal);
  await forEachInFlight(workloads, limits.clusterConcurrency, async ({ type: saved, object }) => {
    const type = servedType(discovery, saved);
    const { namespace = "", name } = object.metadata;
    if (!type || !namespaces.has(namespace)) return;
    const { replicas = 1 } = object["spec"] as { replicas?: number };
    const refusal = await refusalIn(() => cluster.dryRun.patch(type, namespace, name, { spec: { replicas } }, signal));
    if (refusal) findings.note(trial, { type, object }, refusal, true);
  });
}
