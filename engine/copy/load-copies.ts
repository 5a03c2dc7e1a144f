import type { CopyData } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import type { JobDeps } from "../jobs/deps.ts";
import type { JobContext } from "../jobs/phase.ts";
import { jobs, persistentVolumeClaims } from "../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { ClaimData } from "../volumes/volume-data.ts";
import { timesOf } from "./copy-deps.ts";
import { furthest } from "./furthest.ts";
import { exclusiveLabel, moverLabel, type Mover, type MoverPlace } from "./movers/mover-job.ts";
import { restoredFolder, restoreDeviceScript, restoreFilesScript } from "./movers/mover-scripts.ts";
import { clearUp, layOut } from "./movers/mover-set.ts";
import { createdAt, type MoverRequest, removeMover, runMover, stopMovers } from "./movers/run-mover.ts";

/**
 * Brings the data of copies into claims that are bound and empty, each by a mover that reads again what it has written. Gives
 * those that are not full, and why. No mover stays. UNAVAILABLE for what may pass. May run again.
 */
export async function loadCopies<One extends ClaimData<CopyData>>(
  deps: JobDeps,
  context: JobContext,
  claims: readonly One[],
): Promise<ReadonlyMap<One, string>> {
  const reasons = new Map<One, string>();
  const [first] = claims;
  const { copies, cluster, limits } = deps;
  if (first === undefined) return reasons;
  if (copies === undefined) return new Map(claims.map((one) => [one, "copies are off (--copies)"]));
  const { job, signal } = context;
  const place: MoverPlace = {
    copies: copies.config,
    namespace: first.namespace,
    uuid: job.uuid,
    controlPlane: job.entity,
  };
  const request: MoverRequest = { cluster, place, times: timesOf(copies), signal };
  await stopUpkeep(request, limits.podsStopTimeout);
  await layOut(request, copies);
  await forEachInFlight(claims, copies.config.concurrency, async (one) => {
    await dropOutlived(request, one.claim, limits.podsStopTimeout);
    const onProgress = furthest(context, `${one.namespace}/${one.claim}`);
    const { failure } = await runMover(request, loader(one), { onProgress });
    await stopped(request, one.claim, limits.podsStopTimeout);
    if (failure !== undefined) reasons.set(one, failure);
  });
  await clearUp(request, limits.podsStopTimeout);
  return reasons;
}

/** Ends the mover of upkeep, which yields to this job, and has the repository for itself as long as it runs. */
export async function stopUpkeep(request: MoverRequest, timeoutMs: number): Promise<void> {
  const upkeep = { [moverLabel]: request.place.controlPlane, [exclusiveLabel]: "true" };
  await stopMovers(request, timeoutMs, upkeep, { whichRun: true });
}

/** Removes the movers that bring data into claims, and what they have in common: nothing else keeps the claims then. May run again. */
export async function stopLoading(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  { job, signal }: Pick<JobContext, "job" | "signal">,
  claims: readonly ClaimData<CopyData>[],
): Promise<void> {
  for (const { namespace, claim } of claims)
    await stopped({ cluster, place: { namespace, uuid: job.uuid }, signal }, claim, limits.podsStopTimeout);
  for (const namespace of new Set(claims.map((one) => one.namespace)))
    await clearUp({ cluster, place: { namespace, uuid: job.uuid }, signal }, limits.podsStopTimeout);
}

/** Removes a mover of an earlier run that is older than the claim, which someone has deleted since: what it has filled is gone. */
async function dropOutlived({ cluster, place, signal }: MoverRequest, name: string, timeoutMs: number): Promise<void> {
  const { namespace } = place;
  const claim = await cluster.get(persistentVolumeClaims, namespace, name, signal);
  const movers = cluster.list(jobs, namespace, signal, { fieldSelector: `metadata.name=${name}` });
  for await (const mover of movers)
    if (claim === undefined || createdAt(mover) < createdAt(claim))
      await stopped({ cluster, place, signal }, name, timeoutMs);
}

async function stopped(request: Parameters<typeof removeMover>[0], name: string, timeoutMs: number): Promise<void> {
  const left = await removeMover(request, name, timeoutMs);
  if (left.length === 0) return;
  throw new DrsError(
    "FAILED_PRECONDITION",
    `pods of movers are still there ${timeoutMs / 1000} s after their deletion: ${left.join(", ")}`,
    { id: "DRS-V006" },
  );
}

function loader({ claim, data: { snapshotId, path, mode } }: ClaimData<CopyData>): Mover {
  const volume = { claim, mode, path: `${restoredFolder}${path}`, isFilled: true };
  return mode === "Block"
    ? { name: claim, script: restoreDeviceScript, args: [snapshotId, path], volume }
    : { name: claim, script: restoreFilesScript, args: [snapshotId], volume };
}
