import { printJson } from "./json.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { apiVersionOf } from "./resource.ts";
import type { Resource } from "./resource.ts";

/** Stored objects never change, so their text is made once. */
const texts = new WeakMap<KubernetesObject, string>();

/** An object's JSON as a version of its kind shows it, with `kind` and `apiVersion`. */
export function objectText(resource: Resource, object: KubernetesObject): string {
  const apiVersion = apiVersionOf(resource);
  if (object.apiVersion !== apiVersion) return printJson({ ...object, apiVersion });
  let text = texts.get(object);
  if (text === undefined) texts.set(object, (text = printJson(object)));
  return text;
}

/** An object's JSON as an item of a list: those of built-in kinds lack `kind` and `apiVersion`. */
export function itemText(resource: Resource, object: KubernetesObject): string {
  const text = objectText(resource, object);
  if (resource.custom) return text;
  return `{${text.slice(text.indexOf('"metadata":'))}`;
}

/** The object with its members in the order in which the API server writes them. */
export function inOrder(
  resource: Resource,
  { apiVersion, kind, metadata, ...rest }: KubernetesObject,
): KubernetesObject {
  return resource.custom ? { apiVersion, kind, metadata, ...rest } : { kind, apiVersion, metadata, ...rest };
}
