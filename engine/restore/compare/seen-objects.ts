import type { ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";
import type { ServedType } from "../../kinds/served-types.ts";
import { isMadeByCluster } from "../../objects/object-selection.ts";
import { addLive, type LiveObjects, type MutableLiveObjects } from "./live-objects.ts";

/** Limit of remembered objects that are not as saved in every byte, in all kinds together; and of those that were not saved. */
const maxOthers = 2_000;

/** The bytes of those are kept up to so many, in all kinds together. */
const maxBytes = 4 * 1_024 * 1_024;

/** The saved objects of a kind in a namespace. */
export interface SavedHere {
  /** The kind as the cluster serves it; undefined when the archive has none of it. */
  readonly type: ServedType | undefined;
  readonly digests: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
}

/** An object that the archive does not have. */
export interface UnsavedObject {
  readonly name: string;
  readonly uid: string;
}

/**
 * The live objects as shown by the list that the safety archive is made from, so that the steps after it need no
 * list of their own. Nothing is known of a collection of which too much differs.
 */
export class SeenObjects {
  /** By kind and namespace. */
  readonly #collections = new Map<string, MutableLiveObjects | "too many">();
  /** Likewise: what the archive does not have, and the cluster does not make itself. */
  readonly #unsaved = new Map<string, UnsavedObject[] | "too many">();
  /** By kind, namespace and name: the live objects that differ from the saved ones. */
  readonly #bytes = new Map<string, Buffer>();
  #bytesLeft = maxBytes;
  #others = 0;
  #unsavedCount = 0;
  #isWhole = false;

  /** Takes down an object of a list. */
  see(listed: ResourceType, namespace: string, raw: RawObject, { type, digests, names }: SavedHere): void {
    const key = keyOf(listed, namespace);
    const isUntouched = type !== undefined && this.#compare(key, type, raw, digests);
    if (isUntouched) return;
    if (!names.has(raw.metadata.name)) this.#addUnsaved(key, listed, raw);
    else if (type) this.#keep(`${key}/${raw.metadata.name}`, type, raw);
  }

  /** To be called when all of the namespaces was listed: an object not seen does not exist. */
  end(): void {
    this.#isWhole = true;
  }

  /** The objects of a kind in a namespace, as they were then; undefined when that is not known. */
  of(type: ResourceType, namespace: string): LiveObjects | undefined {
    const seen = this.#collections.get(keyOf(type, namespace));
    return seen === "too many" ? undefined : seen;
  }

  /** Whether so much of a collection differs that it is not known which objects do. */
  differsMuch(type: ResourceType, namespace: string): boolean {
    return this.#collections.get(keyOf(type, namespace)) === "too many";
  }

  /** An object that differs from the saved one of its name, as it was then; undefined when it is not kept. */
  rawOf(type: ResourceType, namespace: string, name: string): RawObject | undefined {
    const bytes = this.#bytes.get(`${keyOf(type, namespace)}/${name}`);
    return bytes && new RawObject(bytes);
  }

  /** Those that a restore deletes, as they were then; undefined when that is not known. */
  unsavedOf(type: ResourceType, namespace: string): readonly UnsavedObject[] | undefined {
    if (!this.#isWhole) return undefined;
    const unsaved = this.#unsaved.get(keyOf(type, namespace)) ?? [];
    return unsaved === "too many" ? undefined : unsaved;
  }

  clear(): void {
    this.#collections.clear();
    this.#unsaved.clear();
    this.#bytes.clear();
    this.#bytesLeft = maxBytes;
    this.#others = 0;
    this.#unsavedCount = 0;
    this.#isWhole = false;
  }

  /** Gives whether the object is as it was saved in every byte. */
  #compare(key: string, type: ServedType, raw: RawObject, digests: ReadonlySet<string>): boolean {
    const seen = this.#collections.get(key) ?? { untouched: new Map(), others: new Map() };
    if (seen === "too many") return false;
    this.#collections.set(key, seen);
    if (addLive(seen, type, raw, digests) === "untouched") return true;
    if (++this.#others > maxOthers) {
      this.#others -= seen.others.size;
      this.#collections.set(key, "too many");
    }
    return false;
  }

  #keep(key: string, type: ServedType, raw: RawObject): void {
    if (raw.bytes.length > this.#bytesLeft) return;
    this.#bytesLeft -= raw.bytes.length;
    this.#bytes.set(key, raw.copyOf(type));
  }

  #addUnsaved(key: string, type: ResourceType, raw: RawObject): void {
    const unsaved = this.#unsaved.get(key) ?? [];
    if (unsaved === "too many" || isMadeByCluster(type, raw.object)) return;
    const { name, uid = "" } = raw.metadata;
    unsaved.push({ name, uid });
    this.#unsaved.set(key, ++this.#unsavedCount > maxOthers ? "too many" : unsaved);
  }
}

function keyOf({ apiVersion, resource }: ResourceType, namespace: string): string {
  return `${apiVersion}/${resource}/${namespace}`;
}
