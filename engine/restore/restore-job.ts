import { safetyFolder } from "../archive/archive-paths.ts";
import { ArchiveWriter } from "../archive/archive-writer.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext, JobDefinition, Phase } from "../jobs/phase.ts";
import type { RestorePhase } from "../model.ts";
import { removeImportedSnapshots } from "../volumes/claims-from-snapshots.ts";
import { restoreClusterScoped } from "./cluster-scoped.ts";
import { deleteClaims, releaseKeptVolumes } from "./deleting-claims.ts";
import { deleteObjects } from "./deleting-objects.ts";
import { goBack } from "./going-back.ts";
import { restoreNamespaces } from "./namespaces.ts";
import { OwnerLinks } from "./owner-links.ts";
import { preValidation } from "./pre-validation.ts";
import type { RestoreSource } from "./restore-source.ts";
import { backupSource } from "./restore-sources.ts";
import { claimsRequest, restoreClaims, settleBoundClaims } from "./restoring-claims.ts";
import { restoreFrom } from "./restoring-objects.ts";
import { startApps } from "./starting-apps.ts";
import { stopApps } from "./stopping-apps.ts";
import { unsavedClaims } from "./unsaved-claims.ts";

/** Noted before the first thing in the namespaces is changed: from then on a failure has to be undone. */
const touchedNote = "touched";

/** What provisions volumes has to be there before the claims. */
const storageKinds = ["storageclasses.storage.k8s.io", "volumesnapshotclasses.snapshot.storage.k8s.io"];

/**
 * A restore. Nothing is touched before PRE_VALIDATION has proven that everything can be brought back and has saved what
 * will be replaced; what is replaced stays until the end, and comes back when the restore fails.
 */
export function restoreJob(parts: JobParts): JobDefinition {
  const phase = (name: RestorePhase, run: (source: RestoreSource, context: JobContext) => Promise<void>): Phase => ({
    name,
    run: async (context) => run(await backupSource(parts, context), context),
  });
  return {
    phases: [
      phase("PRE_VALIDATION", (source, context) => preValidation(source, parts, context)),
      phase("STOPPING_APPS", (source, context) => {
        context.notes.set(touchedNote, true);
        return stopApps(parts, context, source.namespaces);
      }),
      phase("DELETING_OBJECTS", (source, context) => deleteObjects(parts, context, source.namespaces)),
      phase("DELETING_OBJECTS_PVC", async (source, context) => {
        const unsaved = await unsavedClaims(source, context.signal);
        const isLeft = (namespace: string, claim: string) => unsaved.has(`${namespace}/${claim}`);
        await deleteClaims(parts, context, source.namespaces, isLeft);
      }),
      phase("RESTORING_PVC", async (source, context) => {
        const links = new OwnerLinks(context, source.notesPrefix);
        await restoreNamespaces(parts, context, source);
        await restoreClusterScoped(parts, context, source, links, storageKinds);
        await restoreClaims(parts, context, source, links);
      }),
      phase("RESTORING_OBJECTS", (source, context) => restoreFrom(source, parts, context)),
      phase("STARTING_APPS", (source, context) => startApps(source, parts, context)),
    ],
    async finish(context) {
      await settleBoundClaims(parts, context, await backupSource(parts, context));
      await releaseKeptVolumes(parts, context);
      await deleteSafetyArchive(parts, context);
    },
    async fail(context) {
      if (context.notes.get(touchedNote) === true) await goBack(parts, context);
      else context.info("nothing in the namespaces was touched");
      await removeSnapshotObjects(parts, context);
      await deleteSafetyArchive(parts, context);
    },
  };
}

async function removeSnapshotObjects(parts: JobParts, context: JobContext): Promise<void> {
  const volumes = context.notes.get<RestoreSource["reader"]["manifest"]["volumes"]>("imported") ?? [];
  await removeImportedSnapshots(claimsRequest(parts, context), volumes);
}

async function deleteSafetyArchive({ storage }: JobParts, { job, signal }: JobContext): Promise<void> {
  await new ArchiveWriter(storage, safetyFolder(job.uuid)).delete(signal);
}
