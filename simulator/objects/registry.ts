import { builtInResources } from "./built-in-resources.ts";
import { apiVersionOf, resourceId } from "./resource.ts";
import type { Resource } from "./resource.ts";

/** The kinds that are served, one entry a version: the built-in ones and those of the established definitions. */
export class Registry {
  #resources: readonly Resource[] = builtInResources;

  /** Every served version of every kind; the preferred version of a group comes first. */
  all(): readonly Resource[] {
    return this.#resources;
  }

  /** Each kind once, whatever the number of its versions. */
  kinds(): readonly Resource[] {
    return [...new Map(this.#resources.toReversed().map((resource) => [resourceId(resource), resource])).values()];
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#resources.find((r) => r.plural === plural && r.group === group && r.version === version);
  }

  ofKind(apiVersion: string, kind: string): Resource | undefined {
    return this.#resources.find((resource) => resource.kind === kind && apiVersionOf(resource) === apiVersion);
  }

  /** Serves exactly these versions of a custom kind from now on; none to stop serving it. */
  define(id: string, versions: readonly Resource[]): void {
    this.#resources = [...this.#resources.filter((resource) => resourceId(resource) !== id), ...versions];
  }
}

/** A built-in kind by its id: `configmaps`, `deployments.apps`. */
export function builtIn(id: string): Resource {
  const resource = builtInResources.find((candidate) => resourceId(candidate) === id);
  if (resource === undefined) throw new Error(`no built-in resource ${id}`);
  return resource;
}
