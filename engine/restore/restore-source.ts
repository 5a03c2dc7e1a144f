import type { ArchiveReader } from "../archive/archive-reader.ts";
import { damage, reasonOf } from "../archive/damage.ts";
import type { Part } from "../archive/format.ts";
import type { JobContext, JobNotes } from "../jobs/phase.ts";
import type { KubernetesObject, ObjectMeta, ResourceType } from "../kubernetes/kubernetes-object.ts";
import { resourceName } from "../kubernetes/kubernetes-object.ts";
import { parseExact } from "../kubernetes/exact-json.ts";
import { RawObject } from "../kubernetes/raw-object.ts";
import type { SavedIndex } from "./saved-index.ts";
import { checkObject } from "./saved-object.ts";

/**
 * What is put (back) into the cluster: the backup's archive, or, when the restore goes back, the safety archive. The two
 * keep their notes apart.
 */
export interface RestoreSource {
  readonly reader: ArchiveReader;
  readonly namespaces: readonly string[];
  /** Whether it is what was there before, and the restore goes back to it. */
  readonly isWayBack: boolean;
  /** Put before the keys of all notes. */
  readonly notesPrefix: string;
  readonly index: SavedIndex;
}

/** The parts of the kinds with these names, in the order of the names. */
export function partsOf({ reader }: Pick<RestoreSource, "reader">, names: readonly string[]): readonly Part[] {
  return names.flatMap((name) => reader.parts.filter((part) => resourceName(part) === name));
}

/**
 * The objects of some parts, one after the other, with numbers exact. DATA_LOSS for one that does not belong into its part,
 * also when the archive was proven: a storage that others write to may hold another one by now.
 */
export async function* objectsOf(
  { reader }: Pick<RestoreSource, "reader">,
  parts: readonly Part[],
  signal: AbortSignal,
): AsyncGenerator<{ readonly type: ResourceType; readonly object: KubernetesObject }> {
  for (const part of parts)
    for await (const line of reader.objects(part, signal))
      yield { type: part, object: checked(reader, part, () => parseExact(line.toString())) };
}

/** An archived object of which the metadata is parsed; all of it only when it is asked for. */
export interface SavedObject {
  readonly raw: RawObject;
  readonly metadata: ObjectMeta;
  /** The whole of it. Errors as for `objectsOf`. */
  readonly object: () => KubernetesObject;
}

/** The same as `objectsOf`, for whoever needs few of the objects whole. */
export async function* savedObjectsOf(
  { reader }: Pick<RestoreSource, "reader">,
  part: Part,
  signal: AbortSignal,
): AsyncGenerator<SavedObject> {
  for await (const line of reader.objects(part, signal)) {
    const raw = new RawObject(line);
    const { metadata } = checked(reader, part, () => ({ metadata: raw.metadata }));
    yield { raw, metadata, object: () => checked(reader, part, () => raw.object) };
  }
}

function checked({ folder, manifest }: ArchiveReader, part: Part, parse: () => unknown): KubernetesObject {
  try {
    return checkObject(part, parse() as object, manifest.includedNamespaces);
  } catch (error) {
    throw damage(`${folder}/${part.file}`, reasonOf(error), error);
  }
}

/** Where `warnOtherwise` tells and notes. */
export interface Told extends Pick<JobContext, "warn"> {
  readonly notes: Pick<JobNotes, "set">;
}

/** Warns of something that came back otherwise than it was, and notes that there is such. */
export function warnOtherwise(
  { warn, notes }: Told,
  { notesPrefix }: Pick<RestoreSource, "notesPrefix">,
  namespace: string,
  text: string,
): void {
  notes.set(notesPrefix + otherwise, true);
  warn(namespace, text);
}

/** Whether `warnOtherwise` has told of anything. */
export function isOtherwise(
  { notes }: Pick<JobContext, "notes">,
  { notesPrefix }: Pick<RestoreSource, "notesPrefix">,
): boolean {
  return notes.get(notesPrefix + otherwise) === true;
}

const otherwise = "otherwise";
