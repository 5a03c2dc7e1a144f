import { backupFolder, manifestFile } from "../archive/archive-paths.ts";
import { DamageError } from "../archive/damage.ts";
import type { Manifest, SavedVolume } from "../archive/format.ts";
import { validated } from "../backup/backup-checkpoints.ts";
import { uuidOf } from "../crn.ts";
import { DrsError } from "../errors.ts";
import type { CopyDeps } from "../copy/copy-deps.ts";
import { forgetCopies, stopForgetting } from "../copy/forget-copies.ts";
import type { JobDeps } from "../jobs/deps.ts";
import type { JobContext, JobDefinition, Phase } from "../jobs/phase.ts";
import { volumeSnapshotContents } from "../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { jobLabel } from "../kinds/own-labels.ts";
import { deleteInTime } from "../volumes/snapshots/discard-snapshots.ts";
import { savedVolumes } from "../volumes/snapshots/take-snapshots.ts";
import { discardData } from "../volumes/saved-data.ts";

/**
 * The job behind deleteBackup. The copies and the snapshots go first and the archive, which knows them, only when all of them are gone:
 * so a deletion that failed can be repeated. The backup's row goes with the job's end.
 */
export function deletionJob(deps: JobDeps & CopyDeps): JobDefinition {
  return {
    phases: [deletingSnapshots(deps), deletingArchive(deps)],
    async finish() {},
    fail: (context) => stopForgetting(deps, context),
  };
}

function deletingSnapshots(deps: JobDeps & CopyDeps): Phase {
  const { cluster, archives, limits } = deps;
  return {
    name: "DELETING_SNAPSHOTS",
    async run(context) {
      const { signal } = context;
      await forgetCopies(deps, context);
      const volumes = await snapshotsOf(archives, context);
      if (volumes === undefined) return deleteLabelled(deps, context);
      if (volumes.length === 0) {
        context.info("the backup has no snapshots");
        return;
      }
      const request = {
        cluster,
        uuid: uuidOf(context.job.backupCrn),
        timeoutMs: limits.snapshotTimeout,
        inFlight: limits.clusterConcurrency,
        signal,
      };
      const failures = await discardData(request, volumes);
      for (const [claim, reason] of failures)
        context.error("DRS-D001", "", `the snapshot of claim ${claim} was not deleted: ${reason}`);
      if (failures.size > 0) throw someRemain();
      context.info(`deleted ${volumes.length} snapshots`);
    },
  };
}

function someRemain(): DrsError {
  return new DrsError(
    "FAILED_PRECONDITION",
    "some snapshots remain, and so does the archive: delete the backup again",
    { id: "DRS-D002" },
  );
}

/**
 * The snapshots named by the archive or, when that is damaged, by the job that has created it. Undefined when nobody knows
 * them any more: the archive is damaged, and from another service.
 */
async function snapshotsOf(
  archives: JobDeps["archives"],
  context: JobContext,
): Promise<readonly SavedVolume[] | undefined> {
  try {
    return (await readManifest(archives, context))?.volumes ?? [];
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    const isKnown = validated.find({ notes: context.backupNotes }) !== undefined;
    context.info(`${error.message.split(";", 1)[0]}, and is deleted anyway`);
    return isKnown ? savedVolumes({ notes: context.backupNotes }) : undefined;
  }
}

/** Deletes what the cluster still has of the backup's snapshots, and warns that the storage system may have others. */
async function deleteLabelled({ cluster, limits }: JobDeps, context: JobContext): Promise<void> {
  const { job, signal } = context;
  const uuid = uuidOf(job.backupCrn);
  let areLeft = false;
  const onHeld = (_: string, { id, message }: DrsError) => {
    areLeft = true;
    context.error(id, "", message);
  };
  const ours = { labelSelector: `${jobLabel}=${uuid}` };
  const found = cluster.list(volumeSnapshotContents, "", signal, ours);
  await forEachInFlight(found, limits.clusterConcurrency, async ({ metadata: { name } }) => {
    await cluster.patch(volumeSnapshotContents, "", name, { spec: { deletionPolicy: "Delete" } }, signal);
    const waiting = { cluster, timeoutMs: limits.snapshotTimeout, signal, onHeld };
    await deleteInTime(waiting, volumeSnapshotContents, "", name);
    context.info(`deleted the snapshot of VolumeSnapshotContent ${name}`);
  });
  if (areLeft) throw someRemain();
  context.warn(
    "DRS-D003",
    "",
    `${backupFolder(uuid)}/${manifestFile} is damaged and another service made the backup, so its snapshots are unknown: ` +
      "those without a VolumeSnapshotContent in the cluster remain in the storage system",
  );
}

function deletingArchive({ storage, archives }: JobDeps): Phase {
  return {
    name: "DELETING_ARCHIVE",
    async run(context) {
      await archives.writer(backupFolder(uuidOf(context.job.backupCrn))).delete(context.signal);
      context.info(`deleted the archive in ${storage.description}`);
    },
  };
}

/** A backup that was cancelled, or that failed, has no archive. */
async function readManifest(archives: JobDeps["archives"], context: JobContext): Promise<Manifest | undefined> {
  try {
    return (await archives.open(backupFolder(uuidOf(context.job.backupCrn)), context.signal)).manifest;
  } catch (error) {
    if (error instanceof DrsError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}
