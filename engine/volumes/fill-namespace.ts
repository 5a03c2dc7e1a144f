import type { RestoreConfig } from "../config.ts";
import type { Cluster } from "../kubernetes/cluster.ts";

/**
 * The namespace in which claims are made from saved data beside the control plane's: the one that is set, or else the service's
 * own. Undefined when there is none.
 */
export async function fillNamespaceOf(
  { cluster, restore }: { readonly cluster: Cluster; readonly restore: Pick<RestoreConfig, "fillNamespace"> },
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = restore.fillNamespace ?? (await cluster.ownNamespace(signal));
  return name === "" ? undefined : name;
}
