import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { PodTemplate } from "../core/pod-template.ts";
import type { KindRules } from "../kind-rules.ts";
import { isFinishedJob, markFinished, suspended } from "./finished-jobs.ts";

interface JobStatus {
  readonly succeeded?: number;
  readonly failed?: number;
  readonly completedIndexes?: string;
  readonly failedIndexes?: string;
}

export const job: KindRules = {
  name: "jobs.batch",
  wave: "running",
  strip: sanitizeJob,
  make: (object, archived) => (isFinishedJob(archived) ? suspended(object) : object),
  async whenMade({ cluster, type, archived, signal }) {
    if (isFinishedJob(archived)) await markFinished(cluster, type, archived, signal);
  },
  /** One that was stopped and has done nothing since the backup goes on. */
  async whenLeft({ cluster, type, archived, signal }) {
    if (isFinishedJob(archived)) return false;
    const { namespace = "", name } = archived.metadata;
    const { suspend = false } = archived["spec"] as { suspend?: boolean };
    await cluster.patch(type, namespace, name, { spec: { suspend } }, signal);
    return true;
  },
  ownsPods: true,
  /** The progress of an unfinished job matters: its work after the backup must be repeated. */
  compare(rest, object) {
    const spec = rest["spec"] as { suspend?: boolean };
    // One that has finished is not stopped: it is suspended where it was made so, and its suspension could not be ended.
    const { suspend = false } = spec;
    delete spec.suspend;
    const { succeeded, failed, completedIndexes, failedIndexes } = (object["status"] ?? {}) as JobStatus;
    rest["progress"] = isFinishedJob(object)
      ? ["finished", suspend]
      : [succeeded, failed, completedIndexes, failedIndexes];
  },
  loss(saved) {
    const { succeeded = 0, completedIndexes = "" } = (saved["status"] ?? {}) as JobStatus;
    if (isFinishedJob(saved) || succeeded === 0) return undefined;
    const done = completedIndexes === "" ? `${succeeded} pods` : `the indexes ${completedIndexes}`;
    return `it had not finished, and begins from the start, also with ${done} that had succeeded`;
  },
};

const uidLabels = ["controller-uid", "batch.kubernetes.io/controller-uid"];

/**
 * The selector and these labels hold the old job's uid; the API server makes new ones, unless the user chose the selector.
 * https://kubernetes.io/docs/concepts/workloads/controllers/job/#specifying-your-own-pod-selector
 */
function sanitizeJob(job: KubernetesObject): void {
  const spec = job["spec"] as { manualSelector?: boolean; selector?: unknown; template?: PodTemplate };
  if (spec.manualSelector === true) return;
  delete spec.selector;
  for (const labels of [job.metadata.labels, spec.template?.metadata?.labels])
    for (const label of uidLabels) delete labels?.[label];
}
