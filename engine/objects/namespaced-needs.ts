import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { isRevision } from "./object-selection.ts";
import { podTemplateOf } from "../kinds/core/pod-template.ts";
import type { RoleRef } from "../kinds/rbac/subjects.ts";
import { subjectsOf } from "../kinds/rbac/subjects.ts";

/** An object of a namespace, by its kind's resource name. */
export interface NamespacedName {
  readonly resource: string;
  readonly name: string;
}

/** That one object of a namespace needs another one of it. */
export interface NeedIn {
  readonly from: NamespacedName;
  readonly to: NamespacedName;
}

const accounts = "serviceaccounts";
const claims = "persistentvolumeclaims";
const roles = "roles.rbac.authorization.k8s.io";
const bindings = "rolebindings.rbac.authorization.k8s.io";

/** Its data is not looked into: it may hold anything. */
const leaves = new Set(["configmaps", "secrets"]);

/**
 * Which objects of its namespace an object needs: by the fields that Kubernetes' kinds have for it, and custom resources
 * mostly too. A binding is needed by the accounts that it gives rights to, and a revision by its workload. What is named need
 * not exist.
 */
export function namespacedNeeds(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
): readonly NeedIn[] {
  const resource = resourceName(type);
  const own = { resource, name: object.metadata.name };
  if (leaves.has(resource)) return [];
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (isRevision(type, object) && owner)
    return [{ from: { resource: `${owner.kind.toLowerCase()}s.apps`, name: owner.name }, to: own }];
  const named = [...namedIn(withoutMetadata(object)), ...ofKind(resource, object)];
  const needs = named.filter(({ name }) => typeof name === "string" && name !== "").map((to) => ({ from: own, to }));
  if (resource !== bindings) return needs;
  const { namespace } = object.metadata;
  const given = subjectsOf(object).filter(
    (subject) => subject.kind === "ServiceAccount" && subject.namespace === namespace,
  );
  return [...needs, ...given.map(({ name }) => ({ from: { resource: accounts, name }, to: own }))];
}

/** Whether a stateful set makes its pods this claim: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage */
export function claimPrefixes(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
): readonly string[] {
  if (resourceName(type) !== "statefulsets.apps") return [];
  const { volumeClaimTemplates = [] } = object["spec"] as { volumeClaimTemplates?: readonly KubernetesObject[] };
  return volumeClaimTemplates.map(({ metadata }) => `${metadata.name}-${object.metadata.name}-`);
}

function ofKind(resource: string, object: KubernetesObject): readonly NamespacedName[] {
  const spec = (object["spec"] ?? {}) as { serviceName?: string; scaleTargetRef?: { kind: string; name: string } };
  switch (resource) {
    case accounts:
      return ((object["secrets"] ?? []) as readonly { name: string }[]).map(({ name }) => ({
        resource: "secrets",
        name,
      }));
    case bindings: {
      const { kind, name } = object["roleRef"] as RoleRef;
      return kind === "Role" ? [{ resource: roles, name }] : [];
    }
    case "statefulsets.apps":
      return [{ resource: "services", name: spec.serviceName ?? "" }, accountOf(object)];
    default:
      return podTemplateOf(object) ? [accountOf(object)] : [];
  }
}

function accountOf(object: KubernetesObject): NamespacedName {
  const { serviceAccountName = "default" } = podTemplateOf(object)?.spec ?? {};
  return { resource: accounts, name: serviceAccountName as string };
}

/** The fields that name an object by their own name, and those that hold an object with its name. */
const namingFields: Readonly<Record<string, string>> = {
  secretName: "secrets",
  claimName: claims,
  serviceAccountName: accounts,
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
