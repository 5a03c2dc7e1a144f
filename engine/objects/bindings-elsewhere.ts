import { DrsError } from "../errors.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { isAccountOf, subjectsOf } from "../kinds/rbac/subjects.ts";

const roleBindings = { apiVersion: "rbac.authorization.k8s.io/v1", resource: "rolebindings" };

/**
 * The role bindings, as `namespace/name`, that give accounts of some namespaces rights in others, and are there, not here. None
 * where the service may not look into all namespaces.
 */
export async function bindingsElsewhere(
  cluster: Cluster,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const ours = new Set(namespaces);
  const found: string[] = [];
  try {
    for await (const binding of cluster.list(roleBindings, "", signal)) {
      const { namespace = "", name } = binding.metadata;
      if (!ours.has(namespace) && subjectsOf(binding).some((subject) => isAccountOf(ours, subject)))
        found.push(`${namespace}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof DrsError) || error.code === "UNAVAILABLE") throw error;
    return [];
  }
  return found.sort();
}
