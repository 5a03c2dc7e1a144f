import { badRequest } from "./api-error.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import type { Resource } from "./resource.ts";
import { resourceId } from "./resource.ts";

export type Matches = (object: KubernetesObject) => boolean;

/** The fields besides name and namespace by which some built-in kinds can be selected. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  events: [
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.uid",
    "reason",
    "type",
  ],
  namespaces: ["status.phase"],
  pods: ["spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase"],
  secrets: ["type"],
};

/** What `labelSelector` and `fieldSelector` of a request select. */
export function selection(resource: Resource, query: URLSearchParams): Matches {
  const requirements = [
    ...splitRequirements(query.get("labelSelector") ?? "").map(labelRequirement),
    ...splitRequirements(query.get("fieldSelector") ?? "").map((text) => fieldRequirement(resource, text)),
  ];
  return (object) => requirements.every((matches) => matches(object));
}

/** Splits at the commas that are not between parentheses. */
function splitRequirements(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function labelRequirement(text: string): Matches {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, name = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    return (object) => values.includes(label(object, name) ?? "\0") === (operator === "in");
  }
  const comparison = /^([^!=\s]+)\s*(==|=|!=)\s*([^!=\s]*)$/.exec(text);
  if (comparison !== null) {
    const [, name = "", operator, value = ""] = comparison;
    return (object) => (label(object, name) === value) === (operator !== "!=");
  }
  const existence = /^(!?)\s*([^!=\s()]+)$/.exec(text);
  if (existence === null) throw badRequest(`unable to parse requirement: ${text}`);
  const [, not, name = ""] = existence;
  return (object) => (label(object, name) !== undefined) === (not === "");
}

function label(object: KubernetesObject, name: string): string | undefined {
  return object.metadata.labels?.[name];
}

function fieldRequirement(resource: Resource, text: string): Matches {
  const comparison = /^([^!=]+?)(==|=|!=)(.*)$/.exec(text);
  if (comparison === null) throw badRequest(`invalid selector: '${text}'; can't understand '${text}'`);
  const [, path = "", operator, value = ""] = comparison;
  const known = ["metadata.name", "metadata.namespace", ...(selectableFields[resourceId(resource)] ?? [])];
  if (!known.includes(path)) throw badRequest(`field label not supported: ${path}`);
  return (object) => (field(object, path) === value) === (operator !== "!=");
}

function field(object: KubernetesObject, path: string): string {
  let value: unknown = object;
  for (const name of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[name];
  return typeof value === "string" ? value : "";
}
