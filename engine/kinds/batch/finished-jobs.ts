import type { Cluster } from "../../kubernetes/cluster.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { finishedStatus, type JobStatus, withoutCriteria } from "./finished-status.ts";

/** Whether a job has completed or failed. */
export function isFinishedJob(job: KubernetesObject): boolean {
  const { conditions = [] } = (job["status"] ?? {}) as JobStatus;
  return conditions.some(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
}

/** The job, suspended: it runs nothing until it is resumed. */
export function suspended(job: KubernetesObject): KubernetesObject {
  return { ...job, spec: { ...(job["spec"] as object), suspend: true } };
}

/**
 * Reports to the cluster that a job just created, suspended, had finished before: it keeps its record and does not
 * run again. https://kubernetes.io/docs/concepts/workloads/controllers/job/#suspending-a-job
 *
 * Throws the API server's refusal when it does not take the status.
 */
export async function markFinished(
  cluster: Cluster,
  type: ResourceType,
  archived: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = "", name } = archived.metadata;
  const { suspend = false } = archived["spec"] as { suspend?: boolean };
  const status = finishedStatus(archived);
  const patch = (given: JobStatus) => cluster.patch(type, namespace, name, { status: given }, signal, "status");
  await patch(status).catch(async (error: unknown) => {
    if (!hasStatus(error, 422)) throw error;
    // A cluster before 1.31 refuses what a newer one demands.
    await patch(withoutCriteria(archived, status)).catch(() => {
      throw error;
    });
  });
  await cluster.patch(type, namespace, name, { spec: { suspend } }, signal);
}
