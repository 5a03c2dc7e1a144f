import type { LiveSource } from "../archive/copies-file.ts";
import type { SnapshotData } from "../archive/format.ts";
import type { JobNotes } from "../jobs/phase.ts";
import type { ClaimData, DataRequest } from "../volumes/volume-data.ts";
import { type Clone, makeClone, removeClone } from "./clones.ts";
import { type LiveVolume, makeSecondVolume, removeSecondVolume } from "./live-volumes.ts";

/*
 * The claims beside the movers that volumes are read through: clones of their snapshots, or live volumes. Each is noted before it
 * is made.
 */

export type Source = Clone | LiveVolume;

/** A source that there may be, and with it a mover of the same name. */
export type SourceNote = (ClaimData<SnapshotData> | NotedLive) & {
  /** The job's. */
  readonly uuid: string;
  /** Its removal has begun. */
  readonly isGoing?: true;
};

interface NotedLive extends Pick<LiveVolume, "namespace" | "claim"> {
  readonly live: Omit<LiveSource, "to">;
}

export const sourceNotes = "clone/";

export function isLive(source: Source): source is LiveVolume {
  return "persistentVolume" in source;
}

/** The note of a source that an earlier run has begun to make, if there is one. */
export function notedSource(notes: JobNotes, source: Pick<SourceNote, "namespace" | "claim">): SourceNote | undefined {
  return notes.get<SourceNote>(keyOf(source));
}

/** Notes that the removal of a source begins. */
export function noteGoing(notes: JobNotes, source: SourceNote): void {
  notes.set(keyOf(source), { ...source, isGoing: true });
}

/** Notes a source before it is made; of a live one what an earlier run has noted stays. */
export function noteSource(notes: JobNotes, uuid: string, source: Source): SourceNote {
  const { namespace, claim } = source;
  const key = keyOf(source);
  const noted = notedSource(notes, source);
  if (noted && "live" in noted) return noted;
  const note = isLive(source)
    ? { uuid, namespace, claim, live: { ...volumeOf(source), from: new Date().toISOString() } }
    : { uuid, namespace, claim, data: source.data };
  notes.set(key, note);
  return note;
}

function volumeOf({ persistentVolume, storageClass }: LiveVolume): Omit<LiveSource, "from" | "to"> {
  return { persistentVolume: persistentVolume.metadata.name, storageClass };
}

/** Makes a source. Returns what the driver has against it. May run again. */
export async function makeSource(request: DataRequest, source: Source): Promise<string | undefined> {
  if (!isLive(source)) return makeClone(request, source);
  await makeSecondVolume(request, source);
  return undefined;
}

/** Removes a source that no pod uses any more. May run again. FAILED_PRECONDITION names what is not gone in time. */
export async function removeSource(request: DataRequest, notes: JobNotes, source: SourceNote): Promise<void> {
  await ("live" in source ? removeSecondVolume(request, source) : removeClone(request, source));
  notes.clear(keyOf(source));
}

function keyOf({ namespace, claim }: Pick<SourceNote, "namespace" | "claim">): string {
  return `${sourceNotes}${namespace}/${claim}`;
}
