import type { CopyData, SavedVolume } from "../../archive/format.ts";
import type { JobContext } from "../../jobs/phase.ts";

const copyNotes = "copy/";

/** By saved namespace and claim. */
export type ChosenCopies = ReadonlyMap<string, CopyData>;

/** The volumes that are filled from their copies, as the restore has noted it; all others from their snapshots. */
export function chosenCopies({ notes }: Pick<JobContext, "notes">): ChosenCopies {
  return new Map(
    [...notes.entries<CopyData>(copyNotes)].map(([key, copy]) => [key.slice(copyNotes.length, -1), copy] as const),
  );
}

/** Notes it anew: what was noted before does not count any more. */
export function chooseCopies({ notes }: Pick<JobContext, "notes">, copies: ChosenCopies): void {
  notes.clear(copyNotes);
  notes.setAll([...copies].map(([key, copy]) => [`${copyNotes}${key}/`, copy] as const));
}

export function keyOf({ namespace, claim }: Pick<SavedVolume, "namespace" | "claim">): string {
  return `${namespace}/${claim}`;
}
