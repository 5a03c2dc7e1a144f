import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { matches } from "../../kubernetes/label-selector.ts";
import type { KindRules } from "../kind-rules.ts";
import type { Asking } from "../saving-rules.ts";
import { aggregatedTo, selectorsOf } from "./aggregated-roles.ts";
import { bindsOnly } from "./cluster-role-binding.ts";
import type { RoleRef } from "./subjects.ts";

const name = "clusterroles.rbac.authorization.k8s.io";
const version = "rbac.authorization.k8s.io/v1";
const roleBindings = { apiVersion: version, resource: "rolebindings" };
const clusterRoleBindings = { apiVersion: version, resource: "clusterrolebindings" };
const clusterRoles = { apiVersion: version, resource: "clusterroles" };

export const clusterRole: KindRules = {
  name,
  read: "get",
  selectors: ({ roles }) => roles.selectors(),
  isNeeded: (role, { roles, isNamed }) =>
    !isOfCluster(role) && (isNamed(name, role.metadata.name) || roles.collect(role)),
  noteNeeds: (role, { roles }) => roles.needed(role),
  noteName: (role, { roles }) => roles.bound(role),
  othersIn: (role) => aggregatedTo(role).map((other) => `anyone bound to ClusterRole ${other}`),
  isUsedOnlyBy,
  wave: "cluster",
  /**
   * The rules of a role that collects those of others are its controller's: old ones would grant, for a while, what the others
   * do not grant any more. https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
   */
  strip(role) {
    if (role["aggregationRule"] !== undefined) delete role["rules"];
  },
};

/** Whether the API server makes it itself. */
function isOfCluster({ metadata }: KubernetesObject): boolean {
  return metadata.labels?.["kubernetes.io/bootstrapping"] !== undefined;
}

/** Whether all who have a cluster role's rights are accounts of the namespaces, also through roles that collect its rules. */
async function isUsedOnlyBy(role: KubernetesObject, { namespaces, isReleased, areOurs }: Asking): Promise<boolean> {
  const seen = new Set<string>();
  for (const roles = [role]; ;) {
    const next = roles.pop();
    if (!next) return true;
    if (seen.has(next.metadata.name)) continue;
    seen.add(next.metadata.name);
    if (aggregatedTo(next).length > 0 && !(isReleased && next === role)) return false;
    const bindsIt = (binding: KubernetesObject) => {
      const { kind, name } = binding["roleRef"] as RoleRef;
      return kind === "ClusterRole" && name === next.metadata.name;
    };
    const bindsItToOthers = (binding: KubernetesObject) => bindsIt(binding) && !bindsOnly(binding, namespaces);
    if (!(await areOurs([roleBindings], bindsIt)) || !(await areOurs([clusterRoleBindings], bindsItToOthers)))
      return false;
    await areOurs([clusterRoles], (other) => {
      if (
        !(isReleased && isOfCluster(other)) &&
        selectorsOf(other).some((selector) => matches(selector, next.metadata.labels))
      )
        roles.push(other);
      return false;
    });
  }
}
