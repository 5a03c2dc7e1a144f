import type { ArchiveReader } from "../../archive/archive-reader.ts";
import type { Part } from "../../archive/format.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";
import { KeptObjects } from "./kept-objects.ts";
import { archivedObjects } from "./archived-objects.ts";
import { SeenObjects } from "../compare/seen-objects.ts";

/** The knowledge of a part's objects without reading it again. */
export interface PartIndex {
  /** By namespace, as the archive has them. */
  readonly names: ReadonlyMap<string, ReadonlySet<string>>;
  /** The digests of each object's bytes (`RawObject.digest`): a live one with such bytes is as saved, and need not be parsed. */
  readonly digests: ReadonlySet<string>;
}

/**
 * The names and digests of archived objects, so that the phases of a restore do not each read the archive for them, and
 * the live ones seen by PRE_VALIDATION, with the kept bytes of those that differ: no more is in memory of any other object. Nothing that a
 * part's own digest has not proven is there.
 */
export class SavedIndex {
  readonly seen = new SeenObjects();
  readonly kept = new KeptObjects();
  /** By the digests of the parts. */
  readonly #parts = new Map<string, PartIndex>();

  /** Indexes some parts while `read` gives each of their objects, which it has checked, to the function that it is called with. */
  async fill(
    parts: readonly Part[],
    read: (add: (part: Part, raw: RawObject) => void) => Promise<void>,
  ): Promise<void> {
    const found = new Map(parts.map((part) => [part, new Indexed()]));
    await read((part, raw) => found.get(part)?.add(raw));
    for (const [part, index] of found) this.#parts.set(part.sha256, index);
  }

  /** The index of a part, which is read when it is not known. Errors as for `objectsOf`. */
  async of({ reader }: { readonly reader: ArchiveReader }, part: Part, signal: AbortSignal): Promise<PartIndex> {
    const known = this.#parts.get(part.sha256);
    if (known) return known;
    const index = new Indexed();
    for await (const raw of archivedObjects(reader, part, signal)) index.add(raw);
    this.#parts.set(part.sha256, index);
    return index;
  }

  clear(): void {
    this.#parts.clear();
    this.seen.clear();
    this.kept.clear();
  }
}

class Indexed implements PartIndex {
  readonly names = new Map<string, Set<string>>();
  readonly digests = new Set<string>();

  add(raw: RawObject): void {
    const { namespace = "", name } = raw.metadata;
    const inNamespace = this.names.get(namespace) ?? new Set();
    this.names.set(namespace, inNamespace.add(name));
    this.digests.add(raw.digest);
  }
}
