import { backupFolder } from "../archive/archive-paths.ts";
import type { Manifest } from "../archive/format.ts";
import { uuidOf } from "../crn.ts";
import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext, JobDefinition, Phase } from "../jobs/phase.ts";
import { deleteSnapshots } from "../volumes/delete-snapshots.ts";

/**
 * The job behind deleteBackup. The snapshots go first and the archive, which knows them, only when all of them are gone:
 * so a deletion that failed can be repeated. The backup's row goes with the job's end.
 */
export function deletionJob(parts: JobParts): JobDefinition {
  return {
    phases: [deletingSnapshots(parts), deletingArchive(parts)],
    async finish() {},
    async fail() {},
  };
}

function deletingSnapshots({ cluster, archives, limits }: JobParts): Phase {
  return {
    name: "DELETING_SNAPSHOTS",
    async run(context) {
      const { signal } = context;
      const manifest = await readManifest(archives, context);
      const volumes = manifest?.volumes ?? [];
      if (volumes.length === 0) {
        context.info("the backup has no snapshots");
        return;
      }
      const failures = await deleteSnapshots({
        cluster,
        uuid: uuidOf(context.job.backupCrn),
        volumes,
        timeoutMs: limits.snapshotTimeout,
        inFlight: limits.clusterConcurrency,
        signal,
      });
      for (const [claim, reason] of failures)
        context.error("", `the snapshot of claim ${claim} was not deleted: ${reason}`);
      if (failures.size > 0)
        throw new DrsError(
          "FAILED_PRECONDITION",
          "some snapshots remain, and so does the archive: delete the backup again",
        );
      context.info(`deleted ${volumes.length} snapshots`);
    },
  };
}

function deletingArchive({ storage, archives }: JobParts): Phase {
  return {
    name: "DELETING_ARCHIVE",
    async run(context) {
      await archives.writer(backupFolder(uuidOf(context.job.backupCrn))).delete(context.signal);
      context.info(`deleted the archive in ${storage.description}`);
    },
  };
}

/** A backup that was cancelled, or that failed, has no archive. */
async function readManifest(archives: JobParts["archives"], context: JobContext): Promise<Manifest | undefined> {
  try {
    return (await archives.open(backupFolder(uuidOf(context.job.backupCrn)), context.signal)).manifest;
  } catch (error) {
    if (error instanceof DrsError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}
