import type { Cluster } from "./cluster.ts";
import { hasStatus } from "./kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "./kubernetes-object.ts";

/** Takes one finalizer from an object that has it, as it was last seen, and none that others have added or taken since. */
export async function removeFinalizer(
  cluster: Cluster,
  type: ResourceType,
  { metadata: { namespace = "", name, finalizers = [] } }: KubernetesObject,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  const at = finalizers.indexOf(finalizer);
  if (at < 0) return;
  const path = `/metadata/finalizers/${at}`;
  const remove = [
    { op: "test", path, value: finalizer },
    { op: "remove", path },
  ];
  try {
    await cluster.patch(type, namespace, name, remove, signal);
  } catch (error) {
    if (!hasStatus(error, 422)) throw error; // somebody else was faster
  }
}
