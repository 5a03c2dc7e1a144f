import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

/**
 * Whether an archived workload is a deployment that is paused. Its controller makes no replica set for it then, and
 * archives of the first services hold none: one that had pods is made without the pause, which it gets when its controller
 * has seen it.
 */
export function isPaused(archived: KubernetesObject): boolean {
  return (archived["spec"] as { paused?: boolean }).paused === true;
}

/** Whether a deployment had pods. A paused one without any may never have run: without its pause it would now. */
export function hasRun(archived: KubernetesObject): boolean {
  return ((archived["status"] as { replicas?: number } | undefined)?.replicas ?? 0) > 0;
}
