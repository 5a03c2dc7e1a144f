import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";
import { notReady } from "./waiting-for-apps.ts";

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

/** Waits, no longer than until the deadline, until the controller has made the replica set of a deployment that is to be paused. May run again. */
export async function mayBePaused(
  parts: Pick<JobParts, "cluster" | "limits">,
  context: JobContext,
  type: ResourceType,
  archived: KubernetesObject,
  deadline: number,
): Promise<void> {
  const { namespace = "", name } = archived.metadata;
  const restored = await parts.cluster.get(type, namespace, name, context.signal);
  // It runs nothing yet, so that it is ready as soon as its controller has seen it.
  if (restored && !isPaused(restored)) await notReady(parts, context, type, namespace, new Map([[name, 0]]), deadline);
}
