import * as v from "valibot";

/**
 * A value in the shape of a schema. Throws an Error that names the place (`grants[0].users`, or `top` for the value itself) and what is
 * wrong there. Values are not repeated, but for names out of a list of allowed ones: there may be secrets among them.
 */
export function inShape<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  top: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Error(`${placeOf(issue, top)} ${faultOf(issue)}`);
}

/** JSON text in the shape of a schema. Throws as `inShape` does. */
export function jsonInShape<Schema extends v.GenericSchema>(
  schema: Schema,
  json: string,
  top: string,
): v.InferOutput<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new Error(`${top} is not JSON: ${String(cause)}`, { cause });
  }
  return inShape(schema, value, top);
}

/** A text with something in it. */
export const filledText = v.pipe(v.string(), v.nonEmpty());

function placeOf(issue: v.BaseIssue<unknown>, top: string): string {
  // An unknown member is reported for its object.
  const path = isUnknownMember(issue) ? issue.path?.slice(0, -1) : issue.path;
  const place = (path ?? []).map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return place === "" ? top : place.replace(/^\./, "");
}

function isUnknownMember({ type, expected }: v.BaseIssue<unknown>): boolean {
  return type === "strict_object" && expected === "never";
}

const kinds: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  number: "a number",
  strict_object: "an object",
  object: "an object",
  string: "text",
};

function faultOf(issue: v.BaseIssue<unknown>): string {
  if (isUnknownMember(issue)) return `has an unknown member ${issue.received}`;
  if (issue.kind === "schema" && issue.received === "undefined") return "is missing";
  if (issue.type === "picklist") return `is ${issue.received}; allowed are ${namesIn(issue.expected)}`;
  if (issue.type === "non_empty") return "is empty";
  const kind = issue.kind === "schema" ? kinds[issue.type] : undefined;
  return kind === undefined ? issue.message : `is not ${kind}`;
}

/** A list of allowed names as an issue has it, `("a" | "b")`, without its signs. */
function namesIn(expected: string | null): string {
  return (expected ?? "nothing").replaceAll(/[()"]/g, "").replaceAll(" | ", ", ");
}
