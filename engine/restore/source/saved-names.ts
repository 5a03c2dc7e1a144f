import type { Part } from "../../archive/format.ts";
import { resourceName, type ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { partsOf, type RestoreSource } from "./restore-source.ts";

/** The parts of which some objects are in the scope. */
export async function partsInScope(source: RestoreSource, signal: AbortSignal): Promise<readonly Part[]> {
  const parts: Part[] = [];
  for (const part of source.reader.parts) {
    const { names } = await source.index.of(source, part, signal);
    const isIn = ([namespace, found]: readonly [string, ReadonlySet<string>]) =>
      [...found].some((name) => source.scope.has(part, { namespace, name }));
    if ([...names].some(isIn)) parts.push(part);
  }
  return parts;
}

/** The names of a kind's saved objects in the scope, by the namespace that they go to. */
export async function savedNames(
  source: RestoreSource,
  type: Pick<ResourceType, "apiVersion" | "resource">,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const names = new Map<string, ReadonlySet<string>>();
  for (const part of partsOf(source, [resourceName(type)]))
    for (const [namespace, here] of await savedNamesOf(source, part, signal))
      names.set(namespace, here.union(names.get(namespace) ?? new Set()));
  return names;
}

/** The same of one part. */
export async function savedNamesOf(
  source: RestoreSource,
  part: Part,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const names = new Map<string, ReadonlySet<string>>();
  for (const [saved, found] of (await source.index.of(source, part, signal)).names) {
    const here = [...found].filter((name) => source.scope.has(part, { namespace: saved, name }));
    const namespace = source.scope.targetOf(saved) ?? saved;
    if (here.length > 0) names.set(namespace, new Set(here).union(names.get(namespace) ?? new Set()));
  }
  return names;
}

/**
 * The digests of a part's objects that may stay as they are in a namespace: those that were saved in it, and go to it. One
 * that goes there from another namespace is never the same in every byte.
 */
export async function digestsFor(
  source: RestoreSource,
  part: Part,
  namespace: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  return source.scope.targetOf(namespace) === namespace
    ? (await source.index.of(source, part, signal)).digests
    : new Set();
}
