import {
  type DescField,
  type DescMessage,
  fromJson,
  fromJsonString,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { DrsError } from "../../engine/errors.ts";

const shownLength = 80;

/**
 * Reads a request from its JSON, refusing whatever it does not fully understand: INVALID_ARGUMENT that names the member.
 * No bytes at all count as `{}`. An enum's unknown number passes here, as in every protocol; the handlers refuse it.
 */
export function requestFromJson<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  const text = bytes.length === 0 ? "{}" : decodeText(bytes);
  for (const [key, value] of Object.entries(parseObject(text))) checkMember(schema, key, value);
  try {
    return fromJsonString(schema, text);
  } catch (error) {
    // The remaining ones are members given twice.
    throw new DrsError("INVALID_ARGUMENT", error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DrsError("INVALID_ARGUMENT", "the body is not UTF-8");
  }
}

function parseObject(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DrsError(
      "INVALID_ARGUMENT",
      `the body is not JSON: ${error instanceof Error ? error.message : "no value"}`,
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new DrsError("INVALID_ARGUMENT", `the body must be a JSON object, not ${shown(value)}`);
}

function checkMember(schema: DescMessage, key: string, value: unknown): void {
  const field = schema.fields.find(({ jsonName, name }) => jsonName === key || name === key);
  if (!field) {
    const known = schema.fields.map(({ jsonName }) => `"${jsonName}"`).join(", ") || "none";
    throw new DrsError("INVALID_ARGUMENT", `unknown member "${key.slice(0, shownLength)}"; known members: ${known}`);
  }
  try {
    fromJson(schema, { [key]: value as string });
  } catch {
    throw new DrsError("INVALID_ARGUMENT", `member "${key}" must be ${expected(field)}, not ${shown(value)}`);
  }
}

function expected(field: DescField): string {
  const kind = field.fieldKind === "list" ? field.listKind : field.fieldKind;
  const article = field.fieldKind === "list" ? "a list of" : "one of";
  if (field.enum) return `${article} ${field.enum.values.map(({ name }) => name).join(", ")}`;
  if (field.fieldKind === "scalar" && field.scalar === ScalarType.INT32) return "a whole number";
  return field.fieldKind === "list" ? `a list of ${kind}s` : "a string";
}

function shown(value: unknown): string {
  const text = textOf(value);
  return text.length > shownLength ? `${text.slice(0, shownLength)}...` : text;
}

/** Values can be parsed that are nested too deep to be written again. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return Array.isArray(value) ? "[..." : "{...";
  }
}
