import type { CopyData, SavedVolume } from "../../archive/format.ts";
import type { JobContext } from "../../jobs/phase.ts";

const copyNotes = "copy/";

/** By saved namespace and claim. */
export type ChosenCopies = ReadonlyMap<string, ChosenCopy>;

export interface ChosenCopy extends CopyData {
  /** The volume, where the archive's manifest does not have it, as no snapshot could hold it. */
  readonly volume?: SavedVolume;
}

/** The volumes that are filled from their copies, as the restore has noted it; all others from their snapshots. */
export function chosenCopies({ notes }: Pick<JobContext, "notes">): ChosenCopies {
  return new Map(
    [...notes.entries<ChosenCopy>(copyNotes)].map(([key, copy]) => [key.slice(copyNotes.length, -1), copy] as const),
  );
}

/** Notes the choice, in place of an earlier one. */
export function chooseCopies({ notes }: Pick<JobContext, "notes">, copies: ChosenCopies): void {
  notes.clear(copyNotes);
  notes.setAll([...copies].map(([key, copy]) => [`${copyNotes}${key}/`, copy] as const));
}

export function keyOf({ namespace, claim }: Pick<SavedVolume, "namespace" | "claim">): string {
  return `${namespace}/${claim}`;
}
