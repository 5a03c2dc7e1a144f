import { backupFolder } from "../archive/archive-paths.ts";
import { DamageError } from "../archive/damage.ts";
import type { Archives } from "../archive/archives.ts";
import { uuidOf } from "../crn.ts";
import { DrsError } from "../errors.ts";
import type { JobContext } from "../jobs/phase.ts";
import { nameFor } from "../volumes/snapshots/snapshot-objects.ts";
import { type CopyDeps, moverPlace, timesOf } from "./copy-deps.ts";
import { moverLabel } from "./movers/mover-job.ts";
import { forgetScript, presence } from "./movers/mover-scripts.ts";
import { clearUp, layOut } from "./movers/mover-set.ts";
import { removeMover, runMover, stopMovers } from "./movers/run-mover.ts";
import { backupTag } from "./tags.ts";

/**
 * Forgets the copies of the backup that a deletion is of, in the repository. One that the service does not have any
 * more keeps them, with a warning. FAILED_PRECONDITION when they cannot be forgotten now. May run again.
 */
export async function forgetCopies(deps: CopyDeps, context: JobContext): Promise<void> {
  const { copies, limits } = deps;
  const { job, signal } = context;
  const backupUuid = uuidOf(job.backupCrn);
  const repositories = await repositoriesOf(deps.archives, backupFolder(backupUuid), signal);
  const isOwn = ({ repository }: Recorded) =>
    copies !== undefined && [unknown, copies.config.repository].includes(repository);
  for (const { repository } of repositories.filter((one) => !isOwn(one)))
    context.warn(
      "DRS-V009",
      "",
      `copies of its volumes stay in the repository ${repository}, which is not the service's: restic forget --tag ${backupTag(backupUuid)} --unsafe-allow-remove-all forgets them`,
    );
  const own = repositories.filter(isOwn);
  if (copies === undefined || own.length === 0) return;
  const place = await moverPlace(deps, copies, job, signal);
  const request = { cluster: deps.cluster, place, times: timesOf(copies), signal };
  // Their locks keep anything from being forgotten. They belong to background work that yields to this deletion, and starts them again; the
  // results of ended ones are yet to be noted.
  await stopMovers(request, limits.podsStopTimeout, { [moverLabel]: place.controlPlane }, { whichRun: true });
  context.notes.set(forgettingNote, place.namespace);
  await layOut(request, copies);
  const mover = {
    name: moverName(job.uuid, place.namespace),
    script: forgetScript,
    args: [presence(own.some(({ hasCopies }) => hasCopies)), "--tag", backupTag(backupUuid)],
  };
  const { failure } = await runMover(request, mover);
  await stopForgetting(deps, context);
  if (failure !== undefined)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the copies of its volumes were not forgotten: ${failure}; delete the backup again`,
      { id: "DRS-V008" },
    );
  context.info("its volumes' copies are forgotten");
}

/** Removes what `forgetCopies` has made in the cluster: for a deletion that fails while it does its work. May run again. */
export async function stopForgetting(
  { cluster, limits }: Pick<CopyDeps, "cluster" | "limits">,
  { job: { uuid }, notes, signal }: Pick<JobContext, "job" | "notes" | "signal">,
): Promise<void> {
  const namespace = notes.get<string>(forgettingNote);
  if (namespace === undefined) return;
  const request = { cluster, place: { namespace, uuid }, signal };
  await removeMover(request, moverName(uuid, namespace), limits.podsStopTimeout);
  await clearUp(request, limits.podsStopTimeout);
}

/** The namespace that the mover is in. */
const forgettingNote = "forgetting";

function moverName(uuid: string, namespace: string): string {
  return nameFor(uuid, namespace, "/forget");
}

/** In place of a repository that the archive cannot name any more. */
const unknown = "unknown";

/** Where copies may be; where it has some, the repository has to be there. */
interface Recorded {
  readonly repository: string;
  readonly hasCopies: boolean;
}

async function repositoriesOf(archives: Archives, folder: string, signal: AbortSignal): Promise<readonly Recorded[]> {
  try {
    const copies = await archives.copies(folder, signal);
    const all = copies === undefined ? [] : [copies, ...(copies.former ?? [])];
    return all.map(({ repository, volumes }) => ({ repository, hasCopies: volumes.length > 0 }));
  } catch (error) {
    if (error instanceof DamageError) return [{ repository: unknown, hasCopies: false }];
    throw error;
  }
}
