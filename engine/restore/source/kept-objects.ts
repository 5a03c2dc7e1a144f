import type { Part } from "../../archive/format.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";

/** Limit of all parts together. */
const maxBytes = 8 * 1_024 * 1_024;

/**
 * Archived objects that differ from the live ones, as PRE_VALIDATION has read them, so that RESTORING_OBJECTS need not look for
 * them in the archive again. Of a part with too much of it none is kept.
 */
export class KeptObjects {
  /** By the digest of the part; then by the namespace that they go to, and name. */
  readonly #parts = new Map<string, Map<string, RawObject> | "too much">();
  #bytes = 0;

  keep({ sha256 }: Part, namespace: string, name: string, { bytes }: RawObject): void {
    const kept = this.#parts.get(sha256) ?? new Map<string, RawObject>();
    if (kept === "too much") return;
    this.#parts.set(sha256, kept);
    const key = keyOf(namespace, name);
    if (!kept.has(key)) this.#bytes += bytes.length;
    kept.set(key, new RawObject(Buffer.from(bytes))); // which are a view of the part
    if (this.#bytes <= maxBytes) return;
    for (const [, one] of kept) this.#bytes -= one.bytes.length;
    this.#parts.set(sha256, "too much");
  }

  /** The object of each of these names; undefined when one of them is not kept. */
  of({ sha256 }: Part, names: Iterable<readonly [namespace: string, name: string]>): readonly RawObject[] | undefined {
    const kept = this.#parts.get(sha256);
    if (kept === undefined || kept === "too much") return undefined;
    const found: RawObject[] = [];
    for (const [namespace, name] of names) {
      const raw = kept.get(keyOf(namespace, name));
      if (raw === undefined) return undefined;
      found.push(raw);
    }
    return found;
  }

  clear(): void {
    this.#parts.clear();
    this.#bytes = 0;
  }
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
