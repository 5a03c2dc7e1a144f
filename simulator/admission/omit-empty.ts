import { isFields } from "../objects/json.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";
import type { Resource } from "../objects/resource.ts";

/** Lists that the built-in kinds write even when they are empty. */
const keptLists = new Set(["rules", "endpoints"]);
/** Maps that they leave out when they are empty. Another `{}` means something: an empty selector, an `emptyDir`. */
const omittedMaps = new Set(["annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector"]);

/** A built-in kind's object as the API server reads it: without nulls, and without the empty lists and maps it omits. */
export function omitEmpty(resource: Resource, object: KubernetesObject): KubernetesObject {
  return resource.custom ? object : (clean(object) as KubernetesObject);
}

function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, member]) => !isOmitted(name, member))
      .map(([name, member]) => [name, clean(member)]),
  );
}

function isOmitted(name: string, member: unknown): boolean {
  if (member === null || member === undefined) return true;
  if (Array.isArray(member)) return member.length === 0 && !keptLists.has(name);
  return isFields(member) && omittedMaps.has(name) && Object.keys(member).length === 0;
}
