import { type KubernetesObject, resourceName, type ResourceType } from "../kubernetes/kubernetes-object.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";

/** The names of a kind's saved objects, or of those that count, by namespace. */
export async function savedNames(
  source: RestoreSource,
  type: Pick<ResourceType, "apiVersion" | "resource">,
  signal: AbortSignal,
  counts: (object: KubernetesObject) => boolean = () => true,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const names = new Map<string, Set<string>>();
  for await (const { object } of objectsOf(source, partsOf(source, [resourceName(type)]), signal)) {
    if (!counts(object)) continue;
    const { namespace = "", name } = object.metadata;
    names.set(namespace, (names.get(namespace) ?? new Set()).add(name));
  }
  return names;
}
