import { invalid } from "../objects/api-error.ts";
import type { Workload } from "../objects/kinds.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";

/** Gives a new job the selector and labels that are made from its uid; a client may bring its own only if it says so. */
export function admitJob(object: KubernetesObject): void {
  const job = object as Workload;
  const { name, uid } = job.metadata;
  const spec = (job.spec ??= {});
  spec.parallelism ??= 1;
  spec.completions ??= 1;
  spec.suspend ??= false;
  spec["completionMode"] ??= "NonIndexed";
  spec["backoffLimit"] ??= 6;
  if (spec.manualSelector === true) return;
  if (spec.selector !== undefined) {
    const what = `Invalid value: ${JSON.stringify(spec.selector)}: \`selector\` not auto-generated`;
    throw invalid({ group: "batch", kind: "Job" }, name, "spec.selector", what);
  }
  spec.selector = { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
  const labels = {
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
    "controller-uid": uid,
    "job-name": name,
  };
  const given = spec.template?.metadata;
  spec.template = { ...spec.template, metadata: { ...given, labels: { ...given?.labels, ...labels } } };
}
