import { DrsError } from "../errors.ts";
import type { JobContext } from "../jobs/phase.ts";
import { attemptEach, failureOf, throwAll } from "../kubernetes/attempts.ts";
import { removeCopier } from "./copy-volume.ts";
import type { CopyDeps } from "./copy-deps.ts";
import { clearUp } from "./movers/mover-set.ts";
import type { MoverRemoval } from "./movers/run-mover.ts";
import { type SourceNote, sourceNotes } from "./sources.ts";

/**
 * Where a copy has made something for its movers, and for which job: an earlier start may have had another namespace for them, and
 * what an earlier copy of the same backup could not remove is the next one's to remove.
 */
type Place = MoverRemoval["place"];

const placeNotes = "place/";
/** What `keepLeftovers` hands on. */
export const leftoverNotes = [placeNotes, sourceNotes];

function placeNote({ namespace, uuid }: Place): string {
  return `${placeNotes}${namespace}/${uuid}`;
}

/** To be called before anything is made there. */
export function notePlace({ notes }: Pick<JobContext, "notes">, { namespace, uuid }: Place): void {
  notes.set(placeNote({ namespace, uuid }), { namespace, uuid });
}

/** Whether there may be something elsewhere, too. */
export function hasOtherPlaces({ notes }: Pick<JobContext, "notes">, place: Place): boolean {
  return [...notes.entries(placeNotes)].some(([key]) => key !== placeNote(place));
}

/**
 * Removes all that a copy has made in the cluster: movers, clones, and what movers had in common. What is refused is a warning. May run
 * again. UNAVAILABLE for what may pass, which says it, too.
 */
export async function removeLeftovers(deps: CopyDeps, context: JobContext): Promise<void> {
  try {
    await removeAll(deps, context);
  } catch (error) {
    if (!(error instanceof DrsError) || context.signal.aborted) throw error;
    const text = `what a copy has made in ${placesOf(context).join(", ")} was not all removed, and nothing needs it: ${error.message}`;
    if (error.code === "UNAVAILABLE") throw new DrsError(error.code, text, { id: "DRS-V007", cause: error });
    context.warn("DRS-V007", "", text);
  }
}

function placesOf({ notes }: JobContext): readonly string[] {
  const all = leftoverNotes.flatMap((prefix) => [...notes.entries<Place>(prefix)]);
  return [...new Set(all.map(([, { namespace }]) => namespace))];
}

/** The same, with the error, which names all that is left. What does not go keeps nothing else. */
export async function removeAll({ cluster, limits }: CopyDeps, context: JobContext): Promise<void> {
  const { notes, signal } = context;
  const sources = [...notes.entries<SourceNote>(sourceNotes)].map(([, source]) => source);
  const left = await attemptEach(sources, limits.clusterConcurrency, (source) =>
    removeCopier({ request: { cluster, signal }, limits, context }, source),
  );
  const unclear: DrsError[] = [];
  for (const [, place] of notes.entries<Place>(placeNotes)) {
    const failed = await failureOf(() => clearUp({ cluster, place, signal }, limits.podsStopTimeout));
    if (failed.length === 0) notes.clear(placeNote(place));
    unclear.push(...failed);
  }
  throwAll([...[...left].map(([{ claim }, error]) => named(claim, error)), ...unclear]);
}

function named(claim: string, { code, message, id }: DrsError): DrsError {
  return new DrsError(code, `claim ${claim}: ${message}`, { id });
}
