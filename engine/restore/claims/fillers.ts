import type { SavedData } from "../../archive/format.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { isFilledBy } from "../../volumes/saved-data.ts";
import { nameFor } from "../../volumes/snapshots/snapshot-objects.ts";
import type { ClaimData } from "../../volumes/volume-data.ts";
import { volumeOf } from "../../volumes/bound-claims.ts";

/** A claim that gets the data of a saved one while the applications still run, in a namespace that nobody restores. */
export interface Filler {
  /** The saved claim's, where it is restored. */
  readonly namespace: string;
  readonly claim: string;
  /** The filler's own. */
  readonly place: string;
  readonly name: string;
  readonly data: SavedData;
  /** Noted when it is bound. */
  readonly isBound?: boolean;
  /** Once it is bound, and its volume set to Retain. */
  readonly volume?: FilledVolume;
  /** Noted right before the saved claim is made on the volume. */
  readonly isHandedOver?: boolean;
  /** Noted when the volume that was handed over has the reclaim policy of its class. */
  readonly isReleased?: boolean;
}

/** A volume that was made for a filler, with all of the data. */
export interface FilledVolume {
  readonly persistentVolume: string;
  readonly fillerUid: string;
  /** The reclaim policy that its class gives volumes. */
  readonly reclaimPolicy: string;
}

/** On the PersistentVolumes of fillers until they are handed over: the restore's uuid. */
export const filledByLabel = "drs.cloudera.com/filled-by";

const fillerNotes = "filler/";

/** The fillers that there are, or may be. */
export function fillersOf({ notes }: Pick<JobContext, "notes">): readonly Filler[] {
  return [...notes.entries<Filler>(fillerNotes)].map(([, filler]) => filler);
}

/** The filler whose volume the saved claim gets, or has; undefined where there is none. */
export function filledFor(
  { notes }: Pick<JobContext, "notes">,
  namespace: string,
  claim: string,
): (Filler & { readonly volume: FilledVolume }) | undefined {
  const filler = notes.get<Filler>(noteOf({ namespace, claim }));
  return filler?.volume && { ...filler, volume: filler.volume };
}

export function noteFiller({ notes }: Pick<JobContext, "notes">, filler: Filler): void {
  notes.set(noteOf(filler), filler);
}

/** Notes a filler before it is made, unless an earlier run has. A volume that is noted for it is gone. */
export function expectFiller({ notes }: Pick<JobContext, "notes">, filler: Filler): void {
  const noted = notes.get<Filler>(noteOf(filler));
  if (noted === undefined || noted.volume !== undefined) notes.set(noteOf(filler), filler);
}

/** Notes that a filler is bound, and reports the progress, but once. */
export function noteBound({ notes, progressed }: Pick<JobContext, "notes" | "progressed">, filler: Filler): void {
  const noted = notes.get<Filler>(noteOf(filler)) ?? filler;
  if (noted.isBound === true) return;
  notes.set(noteOf(filler), { ...noted, isBound: true });
  progressed();
}

export function forgetFiller({ notes }: Pick<JobContext, "notes">, filler: Filler): void {
  notes.clear(noteOf(filler));
}

/** A new filler for data of a saved claim. */
export function fillerFor(uuid: string, place: string, { namespace, claim, data }: ClaimData<SavedData>): Filler {
  return { namespace, claim, place, name: nameFor(uuid, namespace, claim), data };
}

/** The filler's own claim, as that which the data goes into. */
export function dataForFiller({ place, name, data }: Filler): ClaimData<SavedData> {
  return { namespace: place, claim: name, data };
}

const boundByController = "pv.kubernetes.io/bound-by-controller";

/**
 * Whether a claim is there, and this restore has made it with saved data: filled, or on a filler's volume. A claim of the name
 * that somebody else has made gets the volume from the cluster, which says so in an annotation.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/controller/volume/persistentvolume/pv_controller.go
 */
export function isRestored(context: Pick<JobContext, "job" | "notes">, claim: KubernetesObject | undefined): boolean {
  if (!claim) return false;
  if (isFilledBy(context.job.uuid, claim)) return true;
  const { namespace = "", name, annotations = {} } = claim.metadata;
  const filler = filledFor(context, namespace, name);
  return (
    filler !== undefined && volumeOf(claim) === filler.volume.persistentVolume && !(boundByController in annotations)
  );
}

/** Ends in a slash, or to clear it would clear those of longer names too. */
function noteOf({ namespace, claim }: Pick<Filler, "namespace" | "claim">): string {
  return `${fillerNotes}${namespace}/${claim}/`;
}
