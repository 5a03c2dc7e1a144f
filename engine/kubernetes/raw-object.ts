import { hash } from "node:crypto";
import { parseExact } from "./exact-json.ts";
import type { KubernetesObject, ObjectMeta, ResourceType } from "./kubernetes-object.ts";

/** The API server and the archive write an object's kind, if they do, before its metadata, and all else after that. */
const beforeMetadata = /^\{(?:"(?:kind|apiVersion)":"[^"\\]*",)*(?="metadata":\{)/;
const longestStart = 1_000;
const metadataKey = '"metadata":';

/** An object as JSON bytes, of which no more is parsed than is asked for. Errors as for `JSON.parse`. */
export class RawObject {
  readonly bytes: Buffer;
  /** Where the metadata's member begins; undefined when the bytes are in another order. */
  readonly #start: number | undefined;
  #metadata: ObjectMeta | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#start = beforeMetadata.exec(bytes.toString("latin1", 0, longestStart))?.[0].length;
  }

  /** Whether it says nothing of its kind, as an item of a list of a built-in kind. */
  get isWithoutKind(): boolean {
    return this.#start === 1;
  }

  /** The first occurrence of a duplicate member counts. */
  get metadata(): ObjectMeta {
    return (this.#metadata ??= this.#readMetadata());
  }

  /** With numbers exact (`parseExact`). */
  get object(): KubernetesObject {
    return parseExact(this.bytes.toString()) as KubernetesObject;
  }

  /** Two objects with the same one are the same in every byte but, it may be, in what they say of their kind and version. */
  get digest(): string {
    return shortDigest(this.bytes.subarray(this.#start ?? 0));
  }

  /** A copy of the bytes, which may be a view of many more, that says its kind. */
  copyOf(type: Pick<ResourceType, "apiVersion" | "kind">): Buffer {
    return this.isWithoutKind ? Buffer.concat([typeMeta(type), this.bytes.subarray(1)]) : Buffer.from(this.bytes);
  }

  #readMetadata(): ObjectMeta {
    if (this.#start === undefined) return this.object.metadata;
    const from = this.#start + metadataKey.length;
    return JSON.parse(this.bytes.toString("utf8", from, endOfObject(this.bytes, from))) as ObjectMeta;
  }
}

/** How an object begins that says its kind: to be put before one that does not, instead of its brace. */
export function typeMeta({ apiVersion, kind }: Pick<ResourceType, "apiVersion" | "kind">): Buffer {
  return Buffer.from(`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},`);
}

/** 144 bits of a SHA-256; a part of a longer text would keep that in memory. */
export function shortDigest(content: Buffer | string): string {
  return hash("sha256", content, "buffer").toString("base64", 0, 18);
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Where the JSON object ends that begins at a place. */
function endOfObject(bytes: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === openBrace) depth++;
    else if (byte === closeBrace && --depth === 0) return at + 1;
    else if (byte === quote)
      for (at++; at < bytes.length && bytes[at] !== quote; at++) if (bytes[at] === backslash) at++;
  }
  return bytes.length;
}
