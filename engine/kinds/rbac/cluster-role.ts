import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

/**
 * The rules of a role that collects those of others are its controller's: old ones would grant, for a while, what the others
 * do not grant any more. https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
 */
export function sanitizeClusterRole(role: KubernetesObject): void {
  if (role["aggregationRule"] !== undefined) delete role["rules"];
}
