import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { isPaused } from "../../kinds/apps/paused-deployments.ts";
import { notReady } from "./waiting-for-apps.ts";

/** Waits, no longer than until the deadline, until the controller has made the replica set of a deployment that is to be paused. May run again. */
export async function mayBePaused(
  deps: Pick<JobDeps, "cluster" | "limits">,
  context: JobContext,
  type: ResourceType,
  archived: KubernetesObject,
  deadline: number,
): Promise<void> {
  const { namespace = "", name } = archived.metadata;
  const restored = await deps.cluster.get(type, namespace, name, context.signal);
  // It runs nothing yet, so that it is ready as soon as its controller has seen it.
  if (restored && !isPaused(restored)) await notReady(deps, context, type, namespace, new Map([[name, 0]]), deadline);
}
