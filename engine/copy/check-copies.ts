import type { CopyData } from "../archive/format.ts";
import type { JobDeps } from "../jobs/deps.ts";
import type { JobContext } from "../jobs/phase.ts";
import { nameFor } from "../volumes/snapshots/snapshot-objects.ts";
import type { ClaimData } from "../volumes/volume-data.ts";
import { timesOf } from "./copy-deps.ts";
import { stopUpkeep } from "./load-copies.ts";
import type { MoverPlace } from "./movers/mover-job.ts";
import { lookScript } from "./movers/mover-scripts.ts";
import { clearUp, layOut } from "./movers/mover-set.ts";
import { checkIn } from "./movers/restic-output.ts";
import { type MoverRemoval, type MoverRequest, removeMover, runMover } from "./movers/run-mover.ts";

/** Where the check runs; noted before it is made. */
const checkNote = "copies-check";

/**
 * Proves, as far as that is possible without reading all of them, that copies are whole, by one mover: each restic snapshot is there with
 * all its folders, the packs with its data are listed, and its first data can be read. Gives what is wrong, by copy. No mover
 * stays. UNAVAILABLE for what may pass. May run again.
 */
export async function checkCopies<One extends ClaimData<CopyData>>(
  deps: JobDeps,
  context: JobContext,
  claims: readonly One[],
): Promise<ReadonlyMap<One, string>> {
  const [first] = claims;
  const { copies, cluster } = deps;
  if (first === undefined || copies === undefined) return new Map();
  await stopChecking(deps, context); // an earlier run's, which may have looked at others
  const { job, signal } = context;
  const { namespace } = first;
  const place: MoverPlace = { copies: copies.config, namespace, uuid: job.uuid, controlPlane: job.entity };
  const request: MoverRequest = { cluster, place, times: timesOf(copies), signal };
  context.notes.set(checkNote, namespace);
  await stopUpkeep(request, deps.limits.podsStopTimeout);
  await layOut(request, copies);
  const args = claims.flatMap(({ data: { snapshotId, path } }) => [snapshotId, path]);
  const { failure, lines } = await runMover(request, { name: moverName(request), script: lookScript, args });
  await stopChecking(deps, context);
  const check = checkIn(lines);
  if (failure !== undefined || check === undefined) {
    const reason = failure ?? "its mover's result is unknown: its log is gone";
    return new Map(claims.map((one) => [one, reason]));
  }
  if (check.faults === 0)
    context.info(`the repository has the copies of ${claims.length} volumes, and a sample of each can be read`);
  return new Map(
    claims.flatMap((one) => {
      const fault = check.bySnapshot.get(one.data.snapshotId);
      return fault === undefined ? [] : [[one, fault] as const];
    }),
  );
}

/** Removes the mover that looks at copies, and what it needs. May run again. */
export async function stopChecking(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  { job, notes, signal }: Pick<JobContext, "job" | "notes" | "signal">,
): Promise<void> {
  const namespace = notes.get<string>(checkNote);
  if (namespace === undefined) return;
  const request: MoverRemoval = { cluster, place: { namespace, uuid: job.uuid }, signal };
  await removeMover(request, moverName(request), limits.podsStopTimeout);
  await clearUp(request, limits.podsStopTimeout);
  notes.clear(checkNote);
}

function moverName({ place: { uuid, namespace } }: MoverRemoval): string {
  return nameFor(uuid, namespace, "/check");
}
