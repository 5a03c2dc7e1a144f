import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, groupOf } from "../kubernetes/kubernetes-object.ts";

/**
 * The right with which the service could make a role, or a binding, that the API server refused because it grants more than
 * the service's own account has; undefined for any other refusal. In words, like `checkPermissions`.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
 */
export function rightToGrant(error: unknown, type: ResourceType, object: KubernetesObject): string | undefined {
  if (!hasStatus(error, 403) || !/attempting to grant RBAC permissions not currently held/.test(error.detail))
    return undefined;
  const { namespace } = object.metadata;
  const roleRef = object["roleRef"] as { kind: string } | undefined;
  const roles = (roleRef?.kind ?? type.kind) === "ClusterRole" ? "clusterroles" : "roles";
  const where = namespace === undefined ? "" : ` in ${namespace}`;
  return `${roleRef ? "bind" : "escalate"} ${roles}.${groupOf(type.apiVersion)}${where}`;
}
