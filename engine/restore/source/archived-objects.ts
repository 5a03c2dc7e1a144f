import type { ArchiveReader } from "../../archive/archive-reader.ts";
import { damage, reasonOf } from "../../archive/damage.ts";
import type { Part } from "../../archive/format.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";
import { checkObject } from "./saved-object.ts";

/** The objects of a part as they lie in the archive, whether in a scope or not. Errors as for `checkedObject`. */
export async function* archivedObjects(
  reader: ArchiveReader,
  part: Part,
  signal: AbortSignal,
): AsyncGenerator<RawObject> {
  for await (const line of reader.objects(part, signal)) {
    const raw = new RawObject(line);
    checkedObject(reader, part, () => ({ metadata: raw.metadata }));
    yield raw;
  }
}

/** An object that belongs into a part. DATA_LOSS when it cannot be parsed, or does not. */
export function checkedObject({ folder, manifest }: ArchiveReader, part: Part, parse: () => unknown): KubernetesObject {
  try {
    return checkObject(part, parse() as object, manifest.includedNamespaces);
  } catch (error) {
    throw damage(`${folder}/${part.file}`, reasonOf(error), error);
  }
}
