import type { ServedType } from "../../kinds/served-types.ts";
import { addLive, type LiveObjects, type MutableLiveObjects } from "./live-objects.ts";

/** Of so many objects that are not as saved in every byte it is kept what they are like, in all kinds together. */
const maxOthers = 2_000;

/**
 * What the one list that the safety archive is made from has shown of the live objects, so that the steps after it need no
 * list of their own. Of a collection of which too much differs nothing is known.
 */
export class SeenObjects {
  /** By kind and namespace. */
  readonly #collections = new Map<string, MutableLiveObjects | "too many">();
  #others = 0;

  /** Takes down an object of a list; `saved`: the digests of the archived ones of its kind. */
  see(type: ServedType, namespace: string, bytes: Buffer, saved: ReadonlySet<string>): void {
    const key = keyOf(type, namespace);
    const seen = this.#collections.get(key) ?? { untouched: new Map(), others: new Map() };
    if (seen === "too many") return;
    this.#collections.set(key, seen);
    const before = seen.others.size;
    addLive(seen, type, bytes, saved);
    this.#others += seen.others.size - before;
    if (this.#others <= maxOthers) return;
    this.#others -= seen.others.size;
    this.#collections.set(key, "too many");
  }

  /** The objects of a kind in a namespace, as they were then; undefined when that is not known. */
  of(type: ServedType, namespace: string): LiveObjects | undefined {
    const seen = this.#collections.get(keyOf(type, namespace));
    return seen === "too many" ? undefined : seen;
  }

  clear(): void {
    this.#collections.clear();
    this.#others = 0;
  }
}

function keyOf({ apiVersion, resource }: ServedType, namespace: string): string {
  return `${apiVersion}/${resource}/${namespace}`;
}
