import type { Cluster } from "./cluster.ts";
import { hasStatus } from "./kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "./kubernetes-object.ts";

/** More often than this nobody else changes an object's finalizers in a row. */
const maxAttempts = 10;

/** Takes one finalizer from an object, as it was last seen, and none that others have added since. */
export async function removeFinalizer(
  cluster: Cluster,
  type: ResourceType,
  object: KubernetesObject,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = "", name } = object.metadata;
  let seen: KubernetesObject | undefined = object;
  for (let attempt = 1; seen; attempt++) {
    const at = seen.metadata.finalizers?.indexOf(finalizer) ?? -1;
    if (at < 0) return;
    const path = `/metadata/finalizers/${at}`;
    const remove = [
      { op: "test", path, value: finalizer },
      { op: "remove", path },
    ];
    try {
      await cluster.patch(type, namespace, name, remove, signal);
      return;
    } catch (error) {
      if (!hasStatus(error, 422) || attempt === maxAttempts) throw error; // 422: it is at another place by now
    }
    seen = await cluster.get(type, namespace, name, signal);
  }
}
