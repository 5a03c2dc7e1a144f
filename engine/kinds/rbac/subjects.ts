import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

export interface RoleRef {
  kind: string;
  name: string;
}

/** Whom a binding gives rights to. */
export interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** The subjects of a role binding. */
export function subjectsOf(binding: KubernetesObject): readonly Subject[] {
  return (binding["subjects"] ?? []) as Subject[];
}

/**
 * Whether a subject is an account of some namespaces, or all accounts of one, by whichever of the names that RBAC knows them.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects
 */
export function isAccountOf(namespaces: ReadonlySet<string>, { kind, name, namespace = "" }: Subject): boolean {
  switch (kind) {
    case "ServiceAccount":
      return namespaces.has(namespace);
    case "User":
      return namespaces.has(/^system:serviceaccount:([^:]+):[^:]+$/.exec(name)?.[1] ?? "");
    case "Group":
      return namespaces.has(/^system:serviceaccounts:([^:]+)$/.exec(name)?.[1] ?? "");
    default:
      return false;
  }
}
