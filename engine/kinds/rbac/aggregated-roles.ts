import { isBuiltInGroup } from "../../kubernetes/built-in-kinds.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { type LabelSelector, labelSelectorOf, matches } from "../../kubernetes/label-selector.ts";

/** Which cluster roles' rules a cluster role collects; none for one that has rules of its own. */
export function selectorsOf(role: KubernetesObject): readonly LabelSelector[] {
  const { clusterRoleSelectors } = (role["aggregationRule"] ?? {}) as { clusterRoleSelectors?: LabelSelector[] };
  return clusterRoleSelectors ?? [];
}

/** Whose rules a selector collects: all; what grants something on the backup's own groups. */
type Limit = "all" | "ours";

/**
 * Which cluster roles are needed because others collect their rules; gathered from the roles that are bound, and from those
 * that are found to be needed. To the cluster's own roles for users anybody may add, so that of those only what grants something
 * on a custom kind of the backup is needed, unless such a role is bound: then all that it collects is.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
 */
export class AggregatedRoles {
  readonly #groups = new Set<string>();
  /** By their text. */
  readonly #selectors = new Map<string, { readonly selector: LabelSelector; readonly limit: Limit }>();

  /** Counts an API group among those that objects of the backup, or their definitions, are of. */
  noteGroup(group: string): void {
    if (isBuiltInGroup(group)) return;
    this.#groups.add(group);
    for (const selector of selectorsForUsers("admin")) this.#add(selector, "ours");
  }

  /** Takes notice of a role's name: to the cluster's own roles for users others belong. */
  bound(name: string): void {
    for (const selector of selectorsForUsers(name)) this.#add(selector, "all");
  }

  /** Takes notice of a role that is needed. */
  needed(role: KubernetesObject): void {
    for (const selector of selectorsOf(role)) {
      this.#add(selector, "all");
      for (const name of rolesForUsersIn(selector)) this.bound(name);
    }
  }

  /** Whether the rules of this role are needed in another one. */
  collect(role: KubernetesObject): boolean {
    const { rules } = role as { rules?: readonly { apiGroups?: readonly string[] }[] | null };
    const groups = (rules ?? []).flatMap(({ apiGroups = [] }) => apiGroups);
    const isOurs = groups.some((group) => this.#groups.has(group));
    return [...this.#selectors.values()].some(
      ({ selector, limit }) => (limit === "all" || isOurs) && matches(selector, role.metadata.labels),
    );
  }

  /** The selectors of needed roles, also those that come while they are gone through, as a list takes them. */
  selectors(): Iterable<string> {
    return this.#selectors.keys();
  }

  #add(selector: LabelSelector, limit: Limit): void {
    const text = labelSelectorOf(selector);
    if (this.#selectors.get(text)?.limit !== "all") this.#selectors.set(text, { selector, limit });
  }
}

const aggregateTo = "rbac.authorization.k8s.io/aggregate-to-";
const collecting = (name: string): LabelSelector => ({ matchLabels: { [`${aggregateTo}${name}`]: "true" } });

/** The cluster's own roles for users. Each collects those with its label, and is collected by the one before it. */
const rolesForUsers = ["admin", "edit", "view"];

/**
 * Which cluster roles add rules to one of the cluster's own roles for users (admin, edit, view); none for another role.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
 */
function selectorsForUsers(role: string): readonly LabelSelector[] {
  return rolesForUsers.includes(role) ? rolesForUsers.slice(rolesForUsers.indexOf(role)).map(collecting) : [];
}

/** Those of the cluster's own roles for users that a selector matches. */
function rolesForUsersIn(selector: LabelSelector): readonly string[] {
  return rolesForUsers.filter((_, index) => {
    const collector = rolesForUsers[index - 1];
    return collector !== undefined && matches(selector, collecting(collector).matchLabels);
  });
}

/** The roles to which a cluster role adds its rules by the label that Kubernetes has for it. */
export function aggregatedTo({ metadata }: KubernetesObject): readonly string[] {
  return Object.keys(metadata.labels ?? {})
    .filter((label) => label.startsWith(aggregateTo))
    .map((label) => label.slice(aggregateTo.length));
}
