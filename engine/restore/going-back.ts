import { safetyFolder } from "../archive/archive-paths.ts";
import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { removeAdded } from "./added-objects.ts";
import { deleteObjects } from "./deleting-objects.ts";
import { disown } from "./disowning.ts";
import { keptVolumes } from "./kept-volumes.ts";
import { letCallsIn } from "./letting-calls-in.ts";
import { putClaimsBack, removeNewClaims } from "./putting-claims-back.ts";
import { restoreNamespaces } from "./namespaces.ts";
import { OwnerLinks } from "./owner-links.ts";
import { refusalOf } from "./object-restorer.ts";
import { userSnapshots } from "./restore-order.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { safetySource } from "./restore-sources.ts";
import { removeSnapshotObjects, restoreClaims } from "./restoring-claims.ts";
import { restoreFrom } from "./restoring-objects.ts";
import { startApps } from "./starting-apps.ts";
import { stopApps } from "./stopping-apps.ts";
import { removeWebhooks } from "./webhooks.ts";

/** Noted before the first object is deleted: until then there is nothing to clear away before all is put back. */
export const deletingNote = "deleting";
/** Noted when all that the restore has made is gone. What is there later has been put back, and stays. */
const clearedNote = "back/cleared";
/** Noted when all but webhooks has been put back: whether the applications came up. */
const upNote = "back/up";
/** Noted when all has been put back. From then on the safety archive may be gone. */
const backNote = "back/done";

/**
 * Brings a control plane back to what it was before a restore that failed: the objects from the safety archive, the
 * claims on the volumes that were kept. It waits for a cluster, a storage or rights that are gone. An application that
 * does not come up is told, and holds up no other one. May run again.
 */
export async function goBack(parts: JobParts, context: JobContext): Promise<void> {
  const { notes } = context;
  if (isBack(context)) return;
  // There is nothing else to go back to.
  const all = { ...parts, restore: { ...parts.restore, maxRefusedObjects: Number.POSITIVE_INFINITY } };
  context.info("going back to what was there before this restore");
  // The log has the name of the phase that failed, whose lines these are not.
  const back = { ...context, info: (text: string) => context.info(`going back: ${text}`) };
  const source = await safetySource(parts, back);
  if (notes.get(upNote) === undefined) notes.set(upNote, await putBack(source, all, back));
  await letCallsIn(source, parts, back);
  const but = notes.get(upNote) === true ? "" : ", but not all of its applications run";
  context.error("", `the restore failed: the control plane is as it was before it${but}`);
  notes.set(backNote, true);
}

/** Whether all has been put back. */
export function isBack({ notes }: JobContext): boolean {
  return notes.get(backNote) === true;
}

/** Puts back all but webhooks. Gives whether the applications have come up. */
async function putBack(source: RestoreSource, parts: JobParts, context: JobContext): Promise<boolean> {
  const links = new OwnerLinks(context, source.notesPrefix);
  for await (const { object } of objectsOf(source, source.reader.parts, context.signal)) links.expect(object);
  // They are there still, but may have lost their owners.
  const staying = partsOf(source, ["persistentvolumeclaims", ...userSnapshots]);
  for await (const { type, object } of objectsOf(source, staying, context.signal)) links.relink(type, object);
  const isAllThere = context.notes.get(deletingNote) !== true;
  if (!isAllThere && context.notes.get(clearedNote) !== true) {
    await clearAway(source, parts, context);
    context.notes.set(clearedNote, true);
  }
  await restoreNamespaces(parts, context, source);
  if (!isAllThere) await removeNewClaims(source, parts, context);
  await putClaimsBack(parts, context, source);
  await restoreClaims(parts, context, source, links);
  await restoreFrom(source, parts, context);
  let areUp = true;
  await startApps(source, parts, context, ({ message }) => {
    areUp = false;
    context.error("", `after going back ${message}`);
  });
  try {
    await removeSnapshotObjects(parts, context);
  } catch (error) {
    context.error("", `after going back ${refusalOf(error)}`);
  }
  return areUp;
}

/** Stops and deletes what the restore has made, and what is left of what was there before, but for claims. */
async function clearAway(source: RestoreSource, parts: JobParts, context: JobContext): Promise<void> {
  const { namespaces } = source;
  await removeWebhooks(parts, context, namespaces);
  try {
    await stopApps(parts, context, namespaces);
  } catch (error) {
    // The cluster keeps claims that are in use: to go on takes away no data, to stop would leave everything in between.
    if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
    context.warn("", `while going back ${error.message}`);
  }
  await disown(parts, context, namespaces, () => true);
  await deleteObjects(parts, context, namespaces);
  await removeAdded(parts, context, namespaces);
}

/** Where a person finds what a restore has replaced. */
export function whereAllLies({ storage }: JobParts, context: JobContext): string {
  const volumes = keptVolumes(context).map((kept) => `${kept.persistentVolume} of ${kept.namespace}/${kept.claim}`);
  const data = volumes.length === 0 ? "in the claims as they are" : `in the persistent volumes ${volumes.join(", ")}`;
  return (
    `The objects that were replaced are in ${storage.description} under ${safetyFolder(context.job.uuid)}, ` +
    `the data ${data}: see "When going back fails" in docs/operations.md`
  );
}
