import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { classOf, inClassNamed } from "../../kinds/core/claim-class.ts";
import { isMadeByCluster } from "../../objects/object-selection.ts";
import { noteAdded } from "../objects/added-objects.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { archivedVolume, freeVolume, isProvisioned, retainedVolumeOf, releasedVolume } from "./former-volumes.ts";
import { type LeftClaims, retainedVolumes } from "./retained-volumes.ts";
import { labelsAndAnnotations } from "../compare/labels-and-annotations.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import { objectsOf, partsOf, type RestoreSource, type ScopedArchive, volumesOf } from "../source/restore-source.ts";
import { safetySource } from "../plan/restore-sources.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import { isClaimLeftOut } from "../plan/left-out.ts";
import { volumeOf } from "../../volumes/bound-claims.ts";

/** The warning for a claim that comes back: a deletion that waits for the claim's pods cannot be recreated. */
export const deletionUndone = "it was being deleted and no longer is: delete it again if you want that";

/**
 * A claim whose data is not in the backup. One that exists is left as it is, but for its labels and annotations. Else it is
 * recreated: on its old volume when that still has its data, as a static one does, such as a network share, one with the policy
 * Retain, or one that this restore has taken from it and retained; empty otherwise, with a warning.
 */
export async function createClaimWithoutData(
  deps: JobDeps,
  context: JobContext,
  source: RestoreSource,
  archived: KubernetesObject,
  claim: KubernetesObject,
): Promise<void> {
  const { cluster } = deps;
  const { signal } = context;
  const { namespace = "", name } = claim.metadata;
  const existing = await cluster.get(persistentVolumeClaims, namespace, name, signal);
  if (existing) return relabel(cluster, context, existing, claim);
  if (isClaimLeftOut(source, archived)) {
    context.warn(
      "DRS-R025",
      namespace,
      `claim ${name} was not created: its data is not in the backup, and no storage class would provision a volume for it`,
    );
    return undefined;
  }
  const formerName = volumeOf(archived);
  const former =
    (await retainedVolumeOf(deps, context, namespace, name)) ??
    (await releasedVolume(cluster, formerName, namespace, name, signal));
  const volume = former ?? (await staticVolume(source, formerName, signal));
  if (volume) {
    const volumeName = volume.metadata.name;
    if (!former && !(await cluster.get(persistentVolumes, "", volumeName, signal)))
      noteAdded(context, source, persistentVolumes, volumeName);
    await freeVolume(cluster, volume, namespace, name, signal);
    const spec = { ...(claim["spec"] as object), volumeName };
    // One of another class would not be bound to it.
    claim = classOf(volume) === classOf(claim) ? { ...claim, spec } : inClassNamed({ ...claim, spec }, classOf(volume));
    const undone = archived.metadata.deletionTimestamp === undefined ? "" : `; ${deletionUndone}`;
    context.warn(
      "DRS-R069",
      namespace,
      `claim ${name} has its volume ${volumeName} again, with its current data: the backup has none${undone}`,
    );
  } else if (formerName !== "")
    context.warn("DRS-R068", namespace, `claim ${name} is empty: its data is not in the backup`);
  await cluster.createOnce(persistentVolumeClaims, namespace, claim, signal);
  const made = await cluster.get(persistentVolumeClaims, namespace, name, signal);
  context.notes.set(madeNote(source.notesPrefix, namespace, name), made?.metadata.uid);
  await restoreFieldOwners(cluster, persistentVolumeClaims, archived, signal);
}

/** Gives a claim that stays the labels and annotations that were saved; those of its binding are the cluster's. */
async function relabel(
  cluster: JobDeps["cluster"],
  { signal, warn }: JobContext,
  existing: KubernetesObject,
  saved: KubernetesObject,
): Promise<void> {
  const { namespace = "", name } = existing.metadata;
  const metadata = labelsAndAnnotations(sanitize(persistentVolumeClaims, existing), saved);
  try {
    if (metadata) await cluster.patch(persistentVolumeClaims, namespace, name, { metadata }, signal);
  } catch (error) {
    warn("DRS-R059", namespace, `claim ${name} does not have the saved labels and annotations: ${refusalOf(error)}`);
  }
}

function madeNote(notesPrefix: string, namespace: string, claim: string): string {
  return `${notesPrefix}made-claim/${namespace}/${claim}`;
}

/** Whether a restore has created a claim without data to fill it: from its backup, or in its rollback, as the notes' prefix says. */
export function isMadeWithoutData({ notes }: JobContext, notesPrefix: string, { metadata }: KubernetesObject): boolean {
  return notes.get(madeNote(notesPrefix, metadata.namespace ?? "", metadata.name)) === metadata.uid;
}

/** The archived volume of this name, if no driver made it. */
async function staticVolume(
  source: RestoreSource,
  name: string,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  const volume = await archivedVolume(source, name, signal);
  return volume && isProvisioned(volume) ? undefined : volume;
}

/**
 * Makes claims again that were there when this restore began, are in no backup, and have gone since, as those do that somebody
 * has deleted when their pods stop: on their volumes, which are kept, with a warning. May run again.
 */
export async function recreateGoneClaims(
  deps: JobDeps,
  context: JobContext,
  source: RestoreSource,
  inBackup: ReadonlySet<string>,
): Promise<void> {
  const { cluster } = deps;
  const { signal } = context;
  const gone = new Set<string>();
  for (const { namespace, claim, isEphemeral } of retainedVolumes(context)) {
    const key = `${namespace}/${claim}`;
    if (isEphemeral === true || inBackup.has(key)) continue;
    if (!(await cluster.get(persistentVolumeClaims, namespace, claim, signal))) gone.add(key);
  }
  if (gone.size === 0) return;
  const safety = await safetySource(deps, context);
  for await (const { object } of objectsOf(safety, partsOf(safety, ["persistentvolumeclaims"]), signal)) {
    const { namespace = "", name } = object.metadata;
    if (!gone.has(`${namespace}/${name}`)) continue;
    await createClaimWithoutData(deps, context, source, object, sanitize(persistentVolumeClaims, object));
  }
}

/**
 * Which claims a restore leaves as they are: those whose data is not in the backup. An owner that creates its own, as a pod does with an
 * ephemeral one, takes it along.
 */
export function leftClaims(source: ScopedArchive): LeftClaims {
  const withData = new Set(volumesOf(source).map(({ namespace, claim }) => `${namespace}/${claim}`));
  return (claim) =>
    !withData.has(`${claim.metadata.namespace ?? ""}/${claim.metadata.name}`) &&
    !isMadeByCluster(persistentVolumeClaims, claim);
}
