import type { ArchiveReader } from "../../archive/archive-reader.ts";
import type { Part, SavedVolume } from "../../archive/format.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import type { MessageCode } from "../../message-codes.ts";
import type { JobContext, JobNotes } from "../../jobs/phase.ts";
import type { KubernetesObject, ObjectMeta, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { resourceName } from "../../kubernetes/kubernetes-object.ts";
import { parseExact } from "../../kubernetes/exact-json.ts";
import type { RawObject } from "../../kubernetes/raw-object.ts";
import { archivedObjects, checkedObject } from "./archived-objects.ts";
import { type ChosenCopies, keyOf } from "./chosen-copies.ts";
import type { SavedIndex } from "./saved-index.ts";
import type { Scope } from "./scope.ts";

/**
 * The source of objects for the cluster: the backup's archive, or, when the restore rolls back, the safety archive. The two
 * keep their notes apart.
 */
export interface RestoreSource {
  readonly reader: ArchiveReader;
  readonly scope: Scope;
  /** Where the objects of its namespaces go: what a restore looks at and changes in the cluster. */
  readonly targetNamespaces: readonly string[];
  /** Whether it is the safety archive, and the restore rolls back to it. */
  readonly isRollback: boolean;
  /** Put before the keys of all notes. */
  readonly notesPrefix: string;
  readonly index: SavedIndex;
  /** The volumes that are filled from their copies. */
  readonly copies: ChosenCopies;
}

/** The parts of the kinds with these names, in the order of the names. */
export function partsOf({ reader }: Pick<RestoreSource, "reader">, names: readonly string[]): readonly Part[] {
  return names.flatMap((name) => reader.parts.filter((part) => resourceName(part) === name));
}

/** An archive in a scope: the door to its objects and volumes. */
export type ScopedArchive = Pick<RestoreSource, "reader" | "scope">;

/**
 * The objects of some parts that are in the scope, one after the other, as those of the namespaces that they go to, with numbers
 * exact. DATA_LOSS for one that does not belong into its part, also when the archive was proven: a storage that others write to
 * may hold another one by now.
 */
export async function* objectsOf(
  { reader, scope }: ScopedArchive,
  parts: readonly Part[],
  signal: AbortSignal,
): AsyncGenerator<{ readonly type: ResourceType; readonly object: KubernetesObject }> {
  for (const part of parts)
    for await (const line of reader.objects(part, signal)) {
      const object = checkedObject(reader, part, () => parseExact(line.toString()));
      if (scope.has(part, object.metadata)) yield { type: part, object: scope.placed(part, object) };
    }
}

/** An archived object of which the metadata is parsed; all of it only when it is asked for. */
export interface SavedObject {
  readonly raw: RawObject;
  /** As where it goes to. */
  readonly metadata: ObjectMeta;
  /** The whole of it. Errors as for `objectsOf`. */
  readonly object: () => KubernetesObject;
}

/** The same as `objectsOf`, for callers that need few of the objects whole. */
export async function* savedObjectsOf(
  source: ScopedArchive,
  part: Part,
  signal: AbortSignal,
): AsyncGenerator<SavedObject> {
  for await (const raw of archivedObjects(source.reader, part, signal))
    if (source.scope.has(part, raw.metadata)) yield savedObject(source, part, raw);
}

/** An object of the scope, as it is in the archive. */
export function savedObject({ reader, scope }: ScopedArchive, part: Part, raw: RawObject): SavedObject {
  const object = () =>
    scope.placed(
      part,
      checkedObject(reader, part, () => raw.object),
    );
  return { raw, metadata: scope.placedMetadata(part, raw.metadata), object };
}

/** The volumes in the scope; `namespace` and `claim` name the claim that each goes to. */
export function volumesOf({
  reader,
  scope,
  copies,
}: ScopedArchive & Partial<Pick<RestoreSource, "copies">>): readonly SavedVolume[] {
  const onlyCopied = [...(copies?.values() ?? [])].flatMap(({ volume }) => volume ?? []);
  return [...reader.manifest.volumes, ...onlyCopied].flatMap((volume) => {
    const isIn = scope.has(persistentVolumeClaims, { namespace: volume.namespace, name: volume.claim });
    if (!isIn) return [];
    const copy = copies?.get(keyOf(volume));
    const placed = {
      ...volume,
      namespace: scope.targetOf(volume.namespace) ?? volume.namespace,
      storageClass: scope.classFor(volume.storageClass),
    };
    return [copy ? { ...placed, copy } : placed];
  });
}

/** Where `warnOtherwise` reports and notes. */
export interface Reporter extends Pick<JobContext, "warn"> {
  readonly notes: Pick<JobNotes, "set">;
}

/** Warns of something that came back otherwise than it was, and notes that there is such. */
export function warnOtherwise(
  { warn, notes }: Reporter,
  { notesPrefix }: Pick<RestoreSource, "notesPrefix">,
  code: MessageCode,
  namespace: string,
  text: string,
): void {
  notes.set(notesPrefix + otherwise, true);
  warn(code, namespace, text);
}

/** Whether `warnOtherwise` has reported anything. */
export function isOtherwise(
  { notes }: Pick<JobContext, "notes">,
  { notesPrefix }: Pick<RestoreSource, "notesPrefix">,
): boolean {
  return notes.get(notesPrefix + otherwise) === true;
}

const otherwise = "otherwise";
