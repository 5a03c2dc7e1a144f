import { resourceName, type ResourceType } from "../kubernetes/kubernetes-object.ts";
import { partsOf, type RestoreSource } from "./restore-source.ts";

/** The names of a kind's saved objects, by namespace. */
export async function savedNames(
  source: RestoreSource,
  type: Pick<ResourceType, "apiVersion" | "resource">,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const names = new Map<string, ReadonlySet<string>>();
  for (const part of partsOf(source, [resourceName(type)]))
    for (const [namespace, found] of (await source.index.of(source, part, signal)).names)
      names.set(namespace, found.union(names.get(namespace) ?? new Set()));
  return names;
}
