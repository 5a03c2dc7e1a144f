import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { PodTemplate } from "../core/pod-template.ts";

const uidLabels = ["controller-uid", "batch.kubernetes.io/controller-uid"];

/**
 * The selector and these labels hold the old job's uid; the API server makes new ones, unless the user chose the selector.
 * https://kubernetes.io/docs/concepts/workloads/controllers/job/#specifying-your-own-pod-selector
 */
export function sanitizeJob(job: KubernetesObject): void {
  const spec = job["spec"] as { manualSelector?: boolean; selector?: unknown; template?: PodTemplate };
  if (spec.manualSelector === true) return;
  delete spec.selector;
  for (const labels of [job.metadata.labels, spec.template?.metadata?.labels])
    for (const label of uidLabels) delete labels?.[label];
}
