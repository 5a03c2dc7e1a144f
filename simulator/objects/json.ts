import { isDeepStrictEqual } from "node:util";

/** A number kept as its digits, because a double cannot hold it. */
interface RawNumber {
  readonly rawJSON: string;
}

/** What the language's type library does not know yet. */
const exact = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
};

/** Parses JSON. Numbers that a double would change (9007199254740993, 1.0) keep their text through `printJson`. */
export function parseJson(text: string): unknown {
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? exact.rawJSON(source) : value,
  );
}

export function printJson(value: unknown): string {
  return JSON.stringify(value);
}

/** A number by its digits, for those past 2^53. */
export function exactNumber(digits: string | bigint): unknown {
  return exact.rawJSON(String(digits));
}

/** A deep copy; `structuredClone` would lose the exact numbers. */
export function copyJson<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyJson) as T;
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copyJson(member)])) as T;
}

/** Whether two values are the same JSON, whatever the order of members. */
export function sameJson(left: unknown, right: unknown): boolean {
  return isDeepStrictEqual(left, right);
}

/** Whether a value is a JSON object. */
export function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !exact.isRawJSON(value);
}
