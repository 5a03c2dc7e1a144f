import { rulesOf } from "../../kinds/kinds.ts";
import type { MapName } from "../../kinds/restoring-rules.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";

/**
 * A saved object as one of the namespace that it goes to, beside the one it was saved in: without its finalizers, as what they
 * stand for belongs to that one, and without what only one of the two can have. The given one is not changed.
 */
export function mapped(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
  map: MapName,
): KubernetesObject {
  const { finalizers: _finalizers, ...metadata } = object.metadata;
  const copy = { ...object, metadata };
  return rulesOf(type).copy?.(copy, map) ?? copy;
}
