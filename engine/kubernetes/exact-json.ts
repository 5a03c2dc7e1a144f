import { isDeepStrictEqual } from "node:util";

/** Numbers that a double cannot hold, or would print otherwise (1.0, 1e2), have one of these forms. */
const riskyNumber = /[\d.][eE][+-]?\d|\d\.\d|\d{16}/;

interface RawJsonParse {
  (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
}
const { rawJSON } = JSON as unknown as { rawJSON(this: void, text: string): unknown };

/**
 * Parses JSON so that `JSON.stringify` gives every number back as it was written: those a double cannot hold stay text.
 * Plain `JSON.parse` is five times faster and is used where no number needs it.
 */
export function parseExact(text: string): unknown {
  if (!riskyNumber.test(text)) return JSON.parse(text);
  return (JSON.parse as RawJsonParse)(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? rawJSON(source) : value,
  );
}

/**
 * Whether two values that were parsed with `parseExact` say the same. As in Kubernetes a number is an integer, and exact, or
 * else a double: 1.0 is 1, and 9007199254740993 is not 9007199254740992.
 */
export function isSameJson(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(comparable(one), comparable(other));
}

/** One text for all values that `isSameJson` calls the same. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    if (Object.isFrozen(member)) return canonicalValue(JSON.stringify(member));
    return Object.fromEntries(Object.entries(member).toSorted(([one], [other]) => (one < other ? -1 : 1)));
  });
}

/** The JSON of a number that was kept as text, or a text as Go writes it. */
function canonicalValue(text: string): unknown {
  if (text.startsWith('"')) return JSON.parse(text);
  return exactInteger.test(text) ? rawJSON(BigInt(text).toString()) : Number(text);
}

const exactInteger = /^-?\d{16,}$/;

function comparable(value: unknown): unknown {
  return (JSON.parse as RawJsonParse)(JSON.stringify(value), (_key, member, { source }) =>
    typeof member === "number" && source !== undefined && exactInteger.test(source) ? BigInt(source) : member,
  );
}

/**
 * The value so that `JSON.stringify` writes its texts as Go does. A controller knows a revision by the very bytes of its
 * data: written otherwise it would be another one, and pods would be rolled.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/controller/history/controller_history.go
 */
export function asInGo<T>(value: T): T {
  if (typeof value === "string") return (/[<>&\u2028\u2029]/.test(value) ? rawJSON(goText(value)) : value) as T;
  if (Array.isArray(value)) return value.map(asInGo) as T;
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, asInGo(member as unknown)])) as T;
}

/** https://pkg.go.dev/encoding/json#Marshal */
function goText(text: string): string {
  return JSON.stringify(text).replaceAll(/[<>&\u2028\u2029]/g, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
