import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { jobs } from "../../kubernetes/built-in-kinds.ts";
import { fillNamespaceOf } from "../../volumes/fill-namespace.ts";
import { liveLabel, moverLabel } from "./mover-job.ts";
import { isOver, removeMover } from "./run-mover.ts";

/**
 * Ends the movers that read the control plane's live volumes: what they read is about to change, and a volume for one node only would
 * keep applications from others. The copy that they belong to has yielded, and starts them again. May run again.
 */
export async function stopLiveMovers(
  { cluster, copies, restore, limits }: Pick<JobDeps, "cluster" | "copies" | "restore" | "limits">,
  { job, signal, info }: Pick<JobContext, "job" | "signal" | "info">,
): Promise<void> {
  if (copies === undefined) return;
  const namespace = await fillNamespaceOf({ cluster, restore }, signal);
  if (namespace === undefined) return;
  const place = { namespace, uuid: job.uuid };
  const live = { labelSelector: `${moverLabel}=${job.entity},${liveLabel}=true` };
  for await (const mover of cluster.list(jobs, namespace, signal, live)) {
    if (isOver(mover)) continue;
    const left = await removeMover({ cluster, place, signal }, mover.metadata.name, limits.podsStopTimeout);
    const still = left.length > 0 ? `, whose pods are still there: ${left.join(", ")}` : "";
    info(`ended mover ${mover.metadata.name}, which was copying a live volume${still}`);
  }
}
