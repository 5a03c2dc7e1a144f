import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";
import { waitUntilGone } from "../kubernetes/waiting.ts";
import { callsServiceOf } from "../objects/cluster-scoped-needs.ts";
import { isMadeByCluster, isMirrorPod } from "../objects/object-selection.ts";

type Stop = (cluster: Cluster, type: ResourceType, object: KubernetesObject, signal: AbortSignal) => Promise<unknown>;

const type = (apiVersion: string, kind: string, resource: string): ResourceType => ({
  apiVersion,
  kind,
  resource,
  namespaced: true,
});
const pods = type("v1", "Pod", "pods");

const patchSpec =
  (spec: object): Stop =>
  (cluster, type, { metadata: { namespace = "", name } }, signal) =>
    cluster.patch(type, namespace, name, { spec }, signal);
const remove: Stop = (cluster, type, { metadata: { namespace = "", name } }, signal) =>
  cluster.delete(type, namespace, name, signal);

/** What is stopped, in this order: autoscalers first, or they would scale up again. */
const stops: readonly (readonly [ResourceType, Stop])[] = [
  [type("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"), remove],
  [type("batch/v1", "CronJob", "cronjobs"), patchSpec({ suspend: true })],
  [type("batch/v1", "Job", "jobs"), remove],
  [type("apps/v1", "Deployment", "deployments"), patchSpec({ replicas: 0 })],
  [
    type("apps/v1", "StatefulSet", "statefulsets"),
    patchSpec({ replicas: 0, persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" } }),
  ],
  [type("apps/v1", "DaemonSet", "daemonsets"), remove],
  [type("apps/v1", "ReplicaSet", "replicasets"), patchSpec({ replicas: 0 })],
  [type("v1", "ReplicationController", "replicationcontrollers"), patchSpec({ replicas: 0 })],
  [pods, remove], // those of operators too, who are stopped and cannot make them again
];

export const webhookConfigurations = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"].map(
  (resource) => ({
    apiVersion: "admissionregistration.k8s.io/v1",
    resource,
  }),
);

/**
 * Stops all that runs in the namespaces and waits for their pods to go. What it changes is in the safety archive, replica
 * counts too, so it may run again at any point. FAILED_PRECONDITION names the pods that stay.
 */
export async function stopApps(
  { cluster, limits }: JobParts,
  context: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  const { signal } = context;
  for (const namespace of namespaces)
    for (const [kind, stop] of stops) {
      let count = 0;
      await forEachInFlight(cluster.list(kind, namespace, signal), limits.clusterConcurrency, async (object) => {
        if (kind === pods ? isMirrorPod(object) : isMadeByCluster(kind, object)) return;
        count++;
        await stop(cluster, kind, object, signal);
      });
      if (count > 0) context.info(`stopped ${count} ${kind.resource} in ${namespace}`);
    }
  for (const namespace of namespaces) await podsGone(cluster, limits.podsStopTimeout, context, namespace);
}

/**
 * Takes away the admission webhooks served from the namespaces: they would refuse, or delay, everything from here on. To
 * be called before anything else is changed.
 */
export async function removeWebhooks(
  { cluster }: Pick<JobParts, "cluster">,
  context: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  const ours = new Set(namespaces);
  for (const kind of webhookConfigurations)
    for await (const configuration of cluster.list(kind, "", context.signal)) {
      if (!callsServiceOf(configuration, ours)) continue;
      await cluster.delete(kind, "", configuration.metadata.name, context.signal);
      context.info(`removed ${kind.resource} ${configuration.metadata.name} until the applications are up`);
    }
}

async function podsGone(cluster: Cluster, timeoutMs: number, context: JobContext, namespace: string): Promise<void> {
  const wait = { type: pods, namespace, timeoutMs, signal: context.signal };
  const left = await waitUntilGone(cluster, wait, isRunning);
  if (left.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `pods of ${namespace} have not stopped within ${timeoutMs / 1000} s: ${left.map((pod) => pod.metadata.name).join(", ")}; ` +
        "see whether their node is alive, and restore again when they are gone",
    );
}

/** Mirror pods belong to their node; pods that have ended use no volume. */
function isRunning(pod: KubernetesObject): boolean {
  const { phase } = (pod["status"] ?? {}) as { phase?: string };
  const ended = phase === "Succeeded" || phase === "Failed";
  return !ended && !isMirrorPod(pod);
}
