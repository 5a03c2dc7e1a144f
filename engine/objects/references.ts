import { classesOfPods } from "../kinds/core/pod-references.ts";
import { podTemplateOf } from "../kinds/core/pod-template.ts";
import { customResourceDefinition } from "../kinds/extensions/custom-resource-definition.ts";
import { rulesFor } from "../kinds/kinds.ts";
import { loosely } from "../kinds/reference.ts";
import type { Reference } from "../kinds/saving-rules.ts";
import { groupOf, type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";

/** The cluster-scoped objects that a namespaced one names, and the definition of its kind. */
export function referencesOf(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
): readonly Reference[] {
  const kind = resourceName(type);
  const named = rulesFor(kind).references?.(object) ?? classesOfPods(podTemplateOf(object));
  const isCustom = groupOf(type.apiVersion).includes(".");
  const references = isCustom ? [...named, loosely(customResourceDefinition.name, kind)] : named;
  return references.filter(({ name }) => typeof name === "string" && name !== "");
}
