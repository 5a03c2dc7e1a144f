import { backupFolder } from "../archive/archive-paths.ts";
import { type Manifest, formatVersion } from "../archive/format.ts";
import { finalState, type JobContext, type JobDefinition } from "../jobs/phase.ts";
import { jobLabel } from "../kinds/own-labels.ts";
import { abandonSnapshots } from "../volumes/snapshots/abandon-snapshots.ts";
import { csiSnapshots } from "../volumes/snapshots/csi-snapshots.ts";
import { savedVolumes } from "../volumes/snapshots/take-snapshots.ts";
import { savedObjects, validated } from "./backup-checkpoints.ts";
import type { BackupDeps } from "./backup-deps.ts";
import { creatingSnapshots, saveRequest } from "./creating-snapshots.ts";
import { resumeApplications } from "./hooks.ts";
import { preValidation } from "./pre-validation.ts";
import { savingObjects } from "./saving-objects.ts";

/**
 * A backup: the live objects are saved, nothing in the namespaces is changed, and it is a backup from the moment its manifest
 * is written. One that fails leaves neither snapshots nor an archive.
 */
export function backupJob(deps: BackupDeps): JobDefinition {
  return {
    phases: [preValidation(deps), savingObjects(deps), creatingSnapshots(deps)],
    async finish(context) {
      await csiSnapshots.keep(context, saveRequest(deps, context));
      await writeManifest(deps, context);
    },
    async fail(context) {
      await resumeApplications(deps, context, context.error);
      await abandonSnapshots(context, { ...deps, namespaces: deps.parameters.namespaces });
      await deps.archives.writer(backupFolder(context.job.uuid)).delete(context.signal);
    },
    abandoned: (context, why) => ({
      id: "DRS-B007",
      text: `the backup was not cleaned up: ${why}. ${whatMayBeLeft(deps, context)}`,
    }),
  };
}

/** For a person who cleans up after a backup that could not do it. */
function whatMayBeLeft({ storage }: BackupDeps, context: JobContext): string {
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

async function writeManifest({ archives }: BackupDeps, context: JobContext): Promise<void> {
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
