import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import { isAccountOf, type RoleRef, subjectsOf } from "./subjects.ts";

export const clusterRoleBinding: KindRules = {
  name: "clusterrolebindings.rbac.authorization.k8s.io",
  read: "list",
  isNeeded: (object, { namespaces }) => subjectsOf(object).some((subject) => isAccountOf(namespaces, subject)),
  noteNeeds: ({ roleRef }, known) =>
    known.need("clusterroles.rbac.authorization.k8s.io", (roleRef as RoleRef | undefined)?.name ?? ""),
  othersIn: (object, namespaces) =>
    subjectsOf(object)
      .filter((subject) => !isAccountOf(namespaces, subject))
      .map(({ kind, namespace, name }) => `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`),
  isUsedOnlyBy: (object, { namespaces, isReleased }) => isReleased || bindsOnly(object, namespaces),
  wave: "cluster",
};

/** Whether a binding gives rights to nobody but service accounts of the namespaces. */
export function bindsOnly(binding: KubernetesObject, namespaces: ReadonlySet<string>): boolean {
  return subjectsOf(binding).every((subject) => isAccountOf(namespaces, subject));
}
