import type { KubernetesObject, ObjectMeta } from "./kubernetes-object.ts";

const start = Buffer.from('{"metadata":{');
const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * An item of a list with nothing but its metadata, for kinds whose rest is large and of no interest; it is not even looked at.
 * Undefined when the metadata does not come first, as it does where the API server writes items of built-in kinds.
 */
export function leadingMetadata(item: Buffer): KubernetesObject | undefined {
  if (!item.subarray(0, start.length).equals(start)) return undefined;
  const from = start.length - 1;
  for (let at = from, depth = 0; at < item.length; at++) {
    const byte = item[at];
    if (byte === quote) at = endOfString(item, at);
    else if (byte === openBrace) depth++;
    else if (byte === closeBrace && --depth === 0)
      return { metadata: JSON.parse(item.toString("utf8", from, at + 1)) as ObjectMeta };
  }
  return undefined;
}

/** Where the string ends that begins there. */
function endOfString(bytes: Buffer, from: number): number {
  let at = from + 1;
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}
