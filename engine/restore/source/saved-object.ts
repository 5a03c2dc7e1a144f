import type { Part } from "../../archive/format.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

/**
 * The object, if it is one of its part's kind and of these namespaces, under a name that leads to no other path of the API
 * server; throws an Error with the reason. Objects of old archives do not say their kind.
 */
export function checkObject(part: Part, object: object, namespaces: readonly string[]): KubernetesObject {
  const { apiVersion = part.apiVersion, kind = part.kind, metadata } = object as Partial<KubernetesObject>;
  if (apiVersion !== part.apiVersion || kind !== part.kind)
    throw new Error(`it is a ${quoted(kind)} of ${quoted(apiVersion)}, not a ${part.kind} of ${part.apiVersion}`);
  if (typeof metadata !== "object" || metadata === null) throw new Error("it has no metadata");
  const { name, namespace = "" } = metadata;
  if (typeof name !== "string" || !isPathSegment(name)) throw new Error(`its name is not allowed: ${quoted(name)}`);
  if (part.namespaced ? !namespaces.includes(namespace) : namespace !== "")
    throw new Error(`${part.kind} ${name} is for namespace ${quoted(namespace)}, which is not in the backup`);
  return object as KubernetesObject;
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names */
function isPathSegment(name: string): boolean {
  return /^[^/%\p{Cc}]{1,253}$/u.test(name) && name !== "." && name !== "..";
}

/** A text from an archive, as far as a message may repeat it. */
export function quoted(value: unknown): string {
  return JSON.stringify(value ?? null).slice(0, 100);
}
