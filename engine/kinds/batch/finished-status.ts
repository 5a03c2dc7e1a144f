import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string;
  readonly lastProbeTime?: string;
  readonly reason?: string;
  readonly message?: string;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/#JobStatus */
export interface JobStatus {
  readonly conditions?: readonly Condition[];
  readonly startTime?: string;
  readonly completionTime?: string | undefined;
  readonly active?: number;
  readonly ready?: number;
  readonly terminating?: number;
  readonly succeeded?: number;
  readonly failed?: number;
  readonly uncountedTerminatedPods?: { readonly succeeded?: readonly string[]; readonly failed?: readonly string[] };
  readonly completedIndexes?: string | undefined;
  readonly failedIndexes?: string | undefined;
}

interface JobSpec {
  readonly completionMode?: string;
  readonly backoffLimitPerIndex?: number;
  readonly successPolicy?: object;
}

/**
 * The status of a finished job as Kubernetes 1.31 and newer take it, with the same outcome, times and counts. Older ones wrote
 * neither SuccessCriteriaMet nor FailureTarget, which these demand before Complete and Failed.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/apis/batch/validation/validation.go (validateJobStatus)
 */
export function finishedStatus(job: KubernetesObject): JobStatus {
  const spec = job["spec"] as JobSpec;
  const status = job["status"] as JobStatus;
  const { uncountedTerminatedPods: uncounted = {}, active = 0, ready = 0, terminating = 0 } = status;
  const isIndexed = spec.completionMode === "Indexed";
  const failed = (status.failed ?? 0) + (uncounted.failed?.length ?? 0);
  // Those of an indexed job are counted by their indexes.
  const succeeded = (status.succeeded ?? 0) + (isIndexed ? 0 : (uncounted.succeeded?.length ?? 0));
  return {
    ...status,
    conditions: finishedConditions(spec, status.conditions ?? []),
    ...finishedTimes(job, status),
    ...(failed > 0 && { failed }),
    ...(succeeded > 0 && { succeeded }),
    // Pods that still ran were not waited for by older versions, and are gone by now.
    ...(active > 0 && { active: 0 }),
    ...(ready > 0 && { ready: 0 }),
    ...(terminating > 0 && { terminating: 0 }),
    ...(status.uncountedTerminatedPods && { uncountedTerminatedPods: {} }),
    ...(!isIndexed && { completedIndexes: undefined }),
    ...(spec.backoffLimitPerIndex === undefined && { failedIndexes: undefined }),
  };
}

/** The status as clusters before 1.31 take it, which know SuccessCriteriaMet only of jobs with a success policy. */
export function withoutCriteria(job: KubernetesObject, status: JobStatus): JobStatus {
  if ((job["spec"] as JobSpec).successPolicy) return status;
  return { ...status, conditions: (status.conditions ?? []).filter(({ type }) => type !== "SuccessCriteriaMet") };
}

const isTrue = (type: string) => (condition: Condition) => condition.type === type && condition.status === "True";

function finishedConditions({ successPolicy }: JobSpec, conditions: readonly Condition[]): readonly Condition[] {
  const end = conditions.findIndex(isTrue("Complete"));
  const isComplete = end >= 0;
  const [before, never] = isComplete
    ? ["SuccessCriteriaMet", "FailureTarget"]
    : ["FailureTarget", "SuccessCriteriaMet"];
  const possible = conditions.filter((condition) => !isTrue(never)(condition));
  if (possible.some(isTrue(before))) return possible;
  return possible.flatMap((condition) => {
    if (condition.type === before) return []; // an untrue one
    if (!isTrue(isComplete ? "Complete" : "Failed")(condition)) return [condition];
    const why = isComplete ? (successPolicy ? byPolicy : byCompletions) : {};
    return [{ ...condition, ...why, type: before }, condition];
  });
}

/** https://github.com/kubernetes/kubernetes/blob/v1.35.4/staging/src/k8s.io/api/batch/v1/types.go (JobReason...) */
const byCompletions = { reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
const byPolicy = { reason: "SuccessPolicy", message: "Matched rules of the success policy" };

/** A job has started before it ends, and only one that is complete has a time of completion. */
function finishedTimes(
  { metadata }: KubernetesObject,
  status: JobStatus,
): Pick<JobStatus, "startTime" | "completionTime"> {
  const { conditions = [], startTime } = status;
  const complete = conditions.find(isTrue("Complete"));
  const made = metadata["creationTimestamp"] as string | undefined;
  const ended = (complete ?? conditions.find(isTrue("Failed")))?.lastTransitionTime ?? made;
  const completionTime = complete ? (status.completionTime ?? ended) : undefined;
  const started = earlier(startTime ?? made, completionTime ?? ended);
  return { completionTime, ...(started !== undefined && { startTime: started }) };
}

function earlier(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Date.parse(other) < Date.parse(one) ? other : one;
}
