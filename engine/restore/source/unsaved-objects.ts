import type { Cluster } from "../../kubernetes/cluster.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { isMadeByCluster } from "../../objects/object-selection.ts";

/**
 * The objects of a kind in a namespace that are not among the saved ones, and that the cluster does not make itself: those that
 * a restore deletes. Of most kinds the metadata alone. A kind that has gone since discovery has none.
 */
export async function* unsavedObjects(
  cluster: Cluster,
  type: ResourceType,
  namespace: string,
  saved: ReadonlySet<string> | undefined,
  signal: AbortSignal,
): AsyncGenerator<KubernetesObject> {
  const isWhole = rulesOf(type).isMadeByClusterNeedsBody === true;
  const isUnsaved = ({ metadata }: KubernetesObject) => saved?.has(metadata.name) !== true;
  try {
    if (isWhole && !(await hasAny(cluster.listMetadata(type, namespace, signal), isUnsaved))) return;
    const found = isWhole ? cluster.list(type, namespace, signal) : cluster.listMetadata(type, namespace, signal);
    for await (const object of found) if (isUnsaved(object) && !isMadeByCluster(type, object)) yield object;
  } catch (error) {
    if (!hasStatus(error, 404, 405)) throw error;
  }
}

async function hasAny<T>(items: AsyncIterable<T>, is: (item: T) => boolean): Promise<boolean> {
  for await (const item of items) if (is(item)) return true;
  return false;
}
