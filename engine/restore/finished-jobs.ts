import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";

/** Whether a job has come to its end, one way or the other. */
export function isFinishedJob(job: KubernetesObject): boolean {
  const { conditions = [] } = (job["status"] ?? {}) as { conditions?: { type: string; status: string }[] };
  return conditions.some(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
}

/** The job as one that runs nothing until it is told to. */
export function suspended(job: KubernetesObject): KubernetesObject {
  return { ...job, spec: { ...(job["spec"] as object), suspend: true } };
}

/**
 * Tells the cluster that a job it has just been given, suspended, had finished before: it keeps its record and does not
 * run again. https://kubernetes.io/docs/concepts/workloads/controllers/job/#suspending-a-job
 */
export async function markFinished(
  cluster: Cluster,
  type: ResourceType,
  archived: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = "", name } = archived.metadata;
  const { suspend = false } = archived["spec"] as { suspend?: boolean };
  await cluster.patch(type, namespace, name, { status: archived["status"] }, signal, "status");
  await cluster.patch(type, namespace, name, { spec: { suspend } }, signal);
}
