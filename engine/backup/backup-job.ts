import { backupFolder } from "../archive/archive-paths.ts";
import { type Manifest, formatVersion } from "../archive/format.ts";
import { finalState, type JobContext, type JobDefinition } from "../jobs/phase.ts";
import { jobLabel } from "../kinds/own-labels.ts";
import { abandonSnapshots } from "../volumes/abandon-snapshots.ts";
import { csiSnapshots } from "../volumes/csi-snapshots.ts";
import { savedVolumes } from "../volumes/take-snapshots.ts";
import { savedObjects, validated } from "./backup-checkpoints.ts";
import type { BackupParts } from "./backup-parts.ts";
import { creatingSnapshots, saveRequest } from "./creating-snapshots.ts";
import { resumeApplications } from "./hooks.ts";
import { preValidation } from "./pre-validation.ts";
import { savingObjects } from "./saving-objects.ts";

/**
 * A backup: what is there is saved, nothing in the namespaces is changed, and it is a backup from the moment its manifest
 * is written. One that fails leaves neither snapshots nor an archive.
 */
export function backupJob(parts: BackupParts): JobDefinition {
  return {
    phases: [preValidation(parts), savingObjects(parts), creatingSnapshots(parts)],
    async finish(context) {
      await csiSnapshots.keep(context, saveRequest(parts, context));
      await writeManifest(parts, context);
    },
    async fail(context) {
      await resumeApplications(parts, context, context.error);
      await abandonSnapshots(context, { ...parts, namespaces: parts.parameters.namespaces });
      await parts.archives.writer(backupFolder(context.job.uuid)).delete(context.signal);
    },
    givenUp: (context, why) => ({
      id: "DRS-B007",
      text: `the backup was not cleaned up: ${why}. ${whatMayBeLeft(parts, context)}`,
    }),
  };
}

/** For a person who cleans up after a backup that could not do it. */
function whatMayBeLeft({ storage }: BackupParts, context: JobContext): string {
  const { uuid } = context.job;
  const stored = savedVolumes(context).flatMap(({ namespace, claim, data }) =>
    data.map(({ snapshotHandle }) => `${snapshotHandle} of ${namespace}/${claim}`),
  );
  const snapshots = stored.length === 0 ? "" : `, in the storage system the snapshots ${stored.join(", ")}`;
  return (
    `What it has begun may be left, to be deleted: VolumeSnapshots with the label ${jobLabel}=${uuid} and their contents` +
    `${snapshots}, and ${backupFolder(uuid)} in ${storage.description}`
  );
}

async function writeManifest({ archives }: BackupParts, context: JobContext): Promise<void> {
  const { job } = context;
  const { namespaces, kubernetesVersion } = validated.read(context);
  const { parts, unavailable } = savedObjects.read(context);
  const messages = context.messages();
  const manifest: Manifest = {
    formatVersion,
    backupCrn: job.crn,
    backupName: job.displayName,
    backupJob: job.name,
    state: finalState(messages, false),
    entity: job.entity,
    includedNamespaces: namespaces,
    createdTime: job.createdAt.toISOString(),
    finishedTime: new Date().toISOString(),
    kubernetesVersion,
    parts,
    volumes: savedVolumes(context),
    messages: messages.map(({ level, namespace, text, time }) => ({
      level,
      namespace,
      text,
      time: time.toISOString(),
    })),
    unavailable,
  };
  await archives.writer(backupFolder(job.uuid)).writeManifest(manifest, context.signal);
  context.info(`archive complete: ${manifest.parts.length} kinds of objects, ${manifest.volumes.length} volumes`);
}
