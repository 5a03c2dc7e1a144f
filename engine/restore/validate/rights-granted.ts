import { DrsError } from "../../errors.ts";
import type { ResourceRight, Cluster } from "../../kubernetes/cluster.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, groupOf } from "../../kubernetes/kubernetes-object.ts";
import type { RoleRef } from "../../kinds/rbac/subjects.ts";
import { listed } from "../../objects/listed.ts";

/** The rights that roles and bindings would take which the API server refused as they grant more than the account has. */
export class RightsToGrant {
  /** The names of what takes them, by the rights in words. */
  readonly #lacking = new Map<string, string[]>();
  /** Roles that the restore writes: `Role api`, `ClusterRole viewer`. */
  readonly #roles = new Set<string>();
  readonly #bindings: Binding[] = [];

  /**
   * Takes down that the API server was asked about an object, and its refusal, if it did refuse; returns whether that was for
   * want of such a right, or may turn out to be.
   */
  note(type: ResourceType, object: KubernetesObject, refusal: unknown): boolean {
    if (groupOf(type.apiVersion) !== rbac) return false;
    const right = rightToGrant(refusal, type, object);
    if (right !== undefined) this.#lacks(right, `${type.kind} ${object.metadata.name}`);
    const isWaiting = isForWantOfItsRole(refusal, object);
    if (!roleOf(object)) this.#roles.add(`${type.kind} ${object.metadata.name}`);
    else if (right === undefined) this.#bindings.push(bindingOf(type, object, isWaiting));
    return right !== undefined || isWaiting;
  }

  /** PERMISSION_DENIED names the rights that the account lacks. */
  async check(cluster: Cluster, signal: AbortSignal): Promise<void> {
    // A binding was judged by its role as it is now, which may grant less than the one that the restore writes. An account that
    // may create any role is not refused when one grants more than it has: it may not bind it then.
    for (const { bind, mayBind, escalate, mayEscalate, name, role, isWaiting } of this.#bindings) {
      if (!isWaiting && !this.#roles.has(role)) continue;
      const grantsMore = this.#lacking.get(escalate)?.includes(role) || (await cluster.isAllowed(mayEscalate, signal));
      if (grantsMore && !(await cluster.isAllowed(mayBind, signal))) this.#lacks(bind, name);
    }
    if (this.#lacking.size > 0)
      throw new DrsError(
        "PERMISSION_DENIED",
        "the service's account lacks rights that a restore needs, because it creates roles that grant more than the account has: " +
          [...this.#lacking].map(([right, names]) => `${right} (for ${listed(names)})`).join("; "),
        { id: "DRS-R009" },
      );
  }

  #lacks(right: string, name: string): void {
    this.#lacking.set(right, [...(this.#lacking.get(right) ?? []), name]);
  }
}

/** The second is for a role that collects the rules of others. */
const refusalsToGrant =
  /attempting to grant RBAC permissions not currently held|must have cluster-admin privileges to use an aggregationRule/;

const rbac = "rbac.authorization.k8s.io";

/**
 * The right with which the service could make a role, or a binding, that the API server refused because it grants more than
 * the service's own account has; undefined for any other refusal. In words, like `checkRights`.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
 */
function rightToGrant(error: unknown, type: ResourceType, object: KubernetesObject): string | undefined {
  if (!hasStatus(error, 403) || !refusalsToGrant.test(error.detail)) return undefined;
  return inWords(roleOf(object) ? "bind" : "escalate", roleOf(object)?.kind ?? type.kind, type, object);
}

/** The rights that allow a binding. */
interface Binding {
  /** The right to make it, and the right to make its role, in words; and whether the account has them. */
  readonly bind: string;
  readonly mayBind: ResourceRight;
  readonly escalate: string;
  readonly mayEscalate: ResourceRight;
  readonly name: string;
  /** `ClusterRole viewer`. */
  readonly role: string;
  /** It could not be tried, as its role is not there yet. */
  readonly isWaiting: boolean;
}

/**
 * Whether the API server refused a binding because its role is missing: it looks for the role only when the account may not
 * bind it whatever it grants.
 */
function isForWantOfItsRole(error: unknown, object: KubernetesObject): boolean {
  // Its words are `clusterrolebindings ... not found`, of one that was to be made; or it is the namespace that is missing.
  return roleOf(object) !== undefined && hasStatus(error, 404) && !error.detail.startsWith("namespaces ");
}

function bindingOf(type: ResourceType, object: KubernetesObject, isWaiting: boolean): Binding {
  const role = roleOf(object) as RoleRef;
  const isClusterRole = role.kind === "ClusterRole";
  const ofRole = isClusterRole ? { metadata: { name: role.name } } : object;
  const resource = isClusterRole ? "clusterroles" : "roles";
  const question = (verb: string, { metadata: { namespace = "" } }: KubernetesObject): ResourceRight => ({
    verb,
    group: rbac,
    resource,
    name: role.name,
    namespace,
  });
  return {
    bind: inWords("bind", role.kind, type, object),
    mayBind: question("bind", object),
    escalate: inWords("escalate", role.kind, type, ofRole),
    mayEscalate: question("escalate", ofRole),
    name: `${type.kind} ${object.metadata.name}`,
    role: `${role.kind} ${role.name}`,
    isWaiting,
  };
}

function roleOf(object: KubernetesObject): RoleRef | undefined {
  return object["roleRef"] as RoleRef | undefined;
}

function inWords(
  verb: "bind" | "escalate",
  roleKind: string,
  { apiVersion }: ResourceType,
  { metadata: { namespace } }: KubernetesObject,
): string {
  const roles = roleKind === "ClusterRole" ? "clusterroles" : "roles";
  return `${verb} ${roles}.${groupOf(apiVersion)}${namespace === undefined ? "" : ` in ${namespace}`}`;
}
