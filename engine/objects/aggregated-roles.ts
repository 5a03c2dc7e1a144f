import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/ */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** Which cluster roles' rules a cluster role collects; none for one that has rules of its own. */
export function selectorsOf(role: KubernetesObject): readonly LabelSelector[] {
  const { clusterRoleSelectors } = (role["aggregationRule"] ?? {}) as { clusterRoleSelectors?: LabelSelector[] };
  return clusterRoleSelectors ?? [];
}

/**
 * Which cluster roles are needed because others collect their rules; gathered from the roles that are bound, and from those
 * that are found to be needed. https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
 */
export class AggregatedRoles {
  readonly #groups = new Set<string>();
  /** By their text. */
  readonly #selectors = new Map<string, { readonly selector: LabelSelector; readonly isOfCluster: boolean }>();

  /** Counts an API group among those that objects of the backup, or their definitions, are of. */
  noteGroup(group: string): void {
    this.#groups.add(group);
  }

  /** Takes notice of a role's name: to the cluster's own roles for users others belong. */
  bound(name: string): void {
    for (const selector of selectorsForUsers(name)) this.#add(selector, true);
  }

  /** Takes notice of a role that is needed. */
  needed(role: KubernetesObject): void {
    for (const selector of selectorsOf(role)) {
      this.#add(selector, false);
      for (const name of rolesForUsersIn(selector)) this.bound(name);
    }
  }

  /**
   * Whether a needed role collects the rules of this one. Where that is the cluster's own, and anybody may add to it, only
   * what grants something on Kubernetes' kinds or on those of the backup counts.
   */
  collect(role: KubernetesObject): boolean {
    return [...this.#selectors.values()].some(
      ({ selector, isOfCluster }) =>
        matches(selector, role.metadata.labels) && (!isOfCluster || grantsOn(this.#groups, role)),
    );
  }

  /** The selectors of needed roles, also those that come while they are gone through, as a list takes them. */
  selectors(): Iterable<string> {
    return this.#selectors.keys();
  }

  #add(selector: LabelSelector, isOfCluster: boolean): void {
    const text = selectorText(selector);
    const isKnown = this.#selectors.get(text)?.isOfCluster === false;
    this.#selectors.set(text, { selector, isOfCluster: isOfCluster && !isKnown });
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

/** Whether a selector matches these labels; an empty one matches all. */
export function matches({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: object = {}): boolean {
  const has = new Map<string, unknown>(Object.entries(labels));
  return (
    Object.entries(matchLabels).every(([key, value]) => has.get(key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const isIn = values.some((value) => has.get(key) === value);
      switch (operator) {
        case "In":
          return isIn;
        case "NotIn":
          return !isIn;
        case "Exists":
          return has.has(key);
        case "DoesNotExist":
          return !has.has(key);
        default:
          return false;
      }
    })
  );
}

/** A selector as a list takes it. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api */
function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  return [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(({ key, operator, values = [] }) => {
      if (operator === "Exists") return key;
      if (operator === "DoesNotExist") return `!${key}`;
      return `${key} ${operator === "NotIn" ? "notin" : "in"} (${values.join(",")})`;
    }),
  ].join(",");
}

/** The API groups of Kubernetes' own kinds, which every cluster has; and that for all groups. */
const groupsOfKubernetes = new Set(
  "* apps batch autoscaling policy networking.k8s.io discovery.k8s.io rbac.authorization.k8s.io storage.k8s.io resource.k8s.io scheduling.k8s.io node.k8s.io coordination.k8s.io events.k8s.io"
    .split(" ")
    .concat(""),
);

/** Whether a role grants something on Kubernetes' own kinds, or on one of these further API groups. */
function grantsOn(groups: ReadonlySet<string>, role: KubernetesObject): boolean {
  const rules = (role["rules"] ?? []) as { apiGroups?: string[] }[];
  return rules.some(({ apiGroups = [] }) =>
    apiGroups.some((group) => groupsOfKubernetes.has(group) || groups.has(group)),
  );
}
