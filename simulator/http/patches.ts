import { ApiError, badRequest } from "../objects/api-error.ts";
import { copyJson, isFields, sameJson } from "../objects/json.ts";

/** Applies an RFC 7386 merge patch: null removes, objects merge, all else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const merged: Record<string, unknown> = isFields(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

interface Operation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** Applies an RFC 6902 JSON patch. Throws `Invalid` when a path is missing or a test fails. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest("error decoding patch: it must be a list of operations");
  let document = copyJson(target);
  for (const operation of operations as Operation[]) document = applyOperation(document, operation);
  return document;
}

function applyOperation(document: unknown, { op, path, from = "", value }: Operation): unknown {
  switch (op) {
    case "add":
      return edit(document, path, "add", value);
    case "remove":
      return edit(document, path, "remove");
    case "replace":
      return edit(document, path, "replace", value);
    case "copy":
      return edit(document, path, "add", copyJson(valueAt(document, from)));
    case "move": {
      const moved = valueAt(document, from);
      return edit(edit(document, from, "remove"), path, "add", moved);
    }
    case "test":
      if (!sameJson(valueAt(document, path), value)) throw cannotPatch(`testing path ${path} failed`);
      return document;
    default:
      throw badRequest(`unexpected kind of operation: ${String(op)}`);
  }
}

function edit(document: unknown, path: string, how: "add" | "remove" | "replace", value?: unknown): unknown {
  const names = pointer(path);
  const last = names.pop();
  if (last === undefined) return how === "remove" ? undefined : value;
  const parent = names.reduce(member, document);
  if (Array.isArray(parent)) {
    const index = last === "-" ? parent.length : Number(last);
    if (!(index >= 0 && index <= parent.length - (how === "add" ? 0 : 1))) throw cannotPatch(`missing path: ${path}`);
    if (how === "add") parent.splice(index, 0, value);
    else if (how === "remove") parent.splice(index, 1);
    else parent[index] = value;
  } else if (isFields(parent) && (how === "add" || last in parent)) {
    if (how === "remove") delete parent[last];
    else parent[last] = value;
  } else {
    throw cannotPatch(`${how} operation does not apply: doc is missing path: ${path}: missing value`);
  }
  return document;
}

function valueAt(document: unknown, path: string): unknown {
  return pointer(path).reduce(member, document);
}

function member(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value[Number(name)];
  return isFields(value) ? value[name] : undefined;
}

function pointer(path: string): string[] {
  return path
    .split("/")
    .slice(1)
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function cannotPatch(why: string): ApiError {
  return new ApiError(422, "Invalid", `the server rejected our request due to an error in our request: ${why}`, {});
}
