import type { AccessQuestion } from "../kubernetes/cluster.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, groupOf } from "../kubernetes/kubernetes-object.ts";
import type { RoleRef } from "../objects/subjects.ts";

/** The second is for a role that collects the rules of others. */
const refusalsToGrant =
  /attempting to grant RBAC permissions not currently held|must have cluster-admin privileges to use an aggregationRule/;

/**
 * The right with which the service could make a role, or a binding, that the API server refused because it grants more than
 * the service's own account has; undefined for any other refusal. In words, like `checkPermissions`.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
 */
export function rightToGrant(error: unknown, type: ResourceType, object: KubernetesObject): string | undefined {
  if (!hasStatus(error, 403) || !refusalsToGrant.test(error.detail)) return undefined;
  return inWords(roleOf(object) ? "bind" : "escalate", roleOf(object)?.kind ?? type.kind, type, object);
}

/** A binding that could not be tried, as its role is not there yet. */
export interface WaitingBinding {
  /** The right to make it, and the right to make its role, in words. */
  readonly bind: string;
  readonly escalate: string;
  /** Whether the account has the latter. */
  readonly mayEscalate: AccessQuestion;
  readonly name: string;
  /** `ClusterRole viewer`. */
  readonly role: string;
}

/**
 * What a binding would take that the API server refused because its role is missing: it looks for the role only when the
 * account may not bind it whatever it grants. Undefined for any other refusal.
 */
export function waitingBinding(
  error: unknown,
  type: ResourceType,
  object: KubernetesObject,
): WaitingBinding | undefined {
  const role = roleOf(object);
  // Its words are `clusterrolebindings ... not found`, of one that was to be made; or it is the namespace that is missing.
  if (!role || !hasStatus(error, 404) || error.detail.startsWith("namespaces ")) return undefined;
  const isClusterRole = role.kind === "ClusterRole";
  const ofRole = isClusterRole ? { metadata: { name: role.name } } : object;
  return {
    bind: inWords("bind", role.kind, type, object),
    escalate: inWords("escalate", role.kind, type, ofRole),
    mayEscalate: {
      verb: "escalate",
      group: groupOf(type.apiVersion),
      resource: isClusterRole ? "clusterroles" : "roles",
      namespace: ofRole.metadata.namespace ?? "",
    },
    name: `${type.kind} ${object.metadata.name}`,
    role: `${role.kind} ${role.name}`,
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
