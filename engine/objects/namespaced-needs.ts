import { accountOfPods } from "../kinds/core/pod-references.ts";
import { rulesFor, rulesOf } from "../kinds/kinds.ts";
import type { NamespacedName } from "../kinds/saving-rules.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { isRevision } from "./object-selection.ts";

/** That one object of a namespace needs another one of it. */
export interface NeedIn {
  readonly from: NamespacedName;
  readonly to: NamespacedName;
}

/**
 * Which objects of its namespace an object needs: by the fields that Kubernetes' kinds have for it, and custom resources
 * mostly too. A binding is needed by the accounts that it gives rights to, and a revision by its workload. A named object need
 * not exist.
 */
export function namespacedNeeds(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
): readonly NeedIn[] {
  const resource = resourceName(type);
  const own = { resource, name: object.metadata.name };
  const rules = rulesFor(resource);
  if (rules.isOpaque) return [];
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (isRevision(type, object) && owner)
    return [{ from: { resource: `${owner.kind.toLowerCase()}s.apps`, name: owner.name }, to: own }];
  const named = [...namedIn(withoutMetadata(object)), ...(rules.needs?.(object) ?? accountOfPods(object))];
  const needs = named.filter(({ name }) => typeof name === "string" && name !== "").map((to) => ({ from: own, to }));
  return [...needs, ...(rules.neededBy?.(object) ?? []).map((from) => ({ from, to: own }))];
}

/** The prefixes of the names of claims that an object creates for its pods. */
export function claimPrefixes(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
): readonly string[] {
  return rulesOf(type).claimPrefixes?.(object) ?? [];
}

/** The fields that name an object by their own name, and those that hold an object with its name. */
const namingFields: Readonly<Record<string, string>> = {
  secretName: "secrets",
  claimName: "persistentvolumeclaims",
  serviceAccountName: "serviceaccounts",
};
const referringFields: readonly (readonly [RegExp, string])[] = [
  [/secret(Key)?Ref$/i, "secrets"],
  [/^(secret|imagePullSecrets)$/, "secrets"],
  [/configMap(Key)?Ref$/i, "configmaps"],
  [/^configMap$/, "configmaps"],
  [/^service$/, "services"],
];

function* namedIn(value: unknown): Generator<NamespacedName> {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  for (const [field, member] of Object.entries(value)) {
    const naming = namingFields[field];
    if (naming !== undefined && typeof member === "string") yield { resource: naming, name: member };
    const resource = referringFields.find(([pattern]) => pattern.test(field))?.[1];
    for (const one of resource === undefined ? [] : [member].flat())
      if (typeof (one as { name?: unknown } | null)?.name === "string")
        yield { resource: resource as string, name: (one as { name: string }).name };
    yield* namedIn(member);
  }
}

function withoutMetadata({ metadata: _metadata, status: _status, ...rest }: KubernetesObject): object {
  return rest;
}
