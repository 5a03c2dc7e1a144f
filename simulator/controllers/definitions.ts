import type { Cluster } from "../cluster.ts";
import { deleteObject } from "../objects/delete-object.ts";
import type { Condition, CustomResourceDefinition } from "../objects/kinds.ts";
import { isDeleting, keyOf, timestamp } from "../objects/kubernetes-object.ts";
import { builtIn } from "../objects/registry.ts";
import { resourceId } from "../objects/resource.ts";
import type { Resource } from "../objects/resource.ts";
import { changeObject } from "../objects/update-object.ts";
import type { Controller } from "./controller.ts";

const definitions = builtIn("customresourcedefinitions.apiextensions.k8s.io");
const cleanup = "customresourcecleanup.apiextensions.k8s.io";

/** Serves the kinds that definitions define, and removes their objects before a deleted definition goes. */
export function definitionController(cluster: Cluster): Controller {
  const { store, registry } = cluster;

  function establish(key: string, definition: CustomResourceDefinition): void {
    registry.define(definition.metadata.name, resourcesOf(definition));
    changeObject<CustomResourceDefinition>(cluster, definitions, key, (copy) => {
      const { names, versions = [] } = copy.spec ?? {};
      copy.status = {
        ...copy.status,
        acceptedNames: names,
        conditions: withCondition(
          withCondition(copy.status?.conditions ?? [], "NamesAccepted", "NoConflicts", "no conflicts found"),
          "Established",
          "InitialNamesAccepted",
          "the initial names have been accepted",
        ),
        storedVersions: versions.filter(({ storage }) => storage).map(({ name }) => name),
      };
    });
  }

  function cleanUp(key: string, definition: CustomResourceDefinition): void {
    const [resource] = resourcesOf(definition);
    let left = 0;
    for (const object of resource === undefined ? [] : store.list(resource)) {
      if (isDeleting(object) || !deleteObject(cluster, resource as Resource, keyOf(object)).gone) left++;
    }
    if (left > 0) return;
    registry.define(definition.metadata.name, []);
    changeObject(cluster, definitions, key, ({ metadata }) => {
      metadata.finalizers = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanup);
    });
  }

  return {
    *concerns({ resource, object, type }) {
      if (resource === definitions) yield keyOf(object);
      else if (resource.custom && type === "DELETED") yield `/${resourceId(resource)}`;
    },
    reconcile(key) {
      const definition = store.get<CustomResourceDefinition>(definitions, key);
      if (definition === undefined) return;
      if (isDeleting(definition)) cleanUp(key, definition);
      else establish(key, definition);
    },
  };
}

/** The served versions of a definition, the storage version first. */
function resourcesOf({ spec }: CustomResourceDefinition): readonly Resource[] {
  if (spec === undefined) return [];
  const { group, names, scope } = spec;
  return spec.versions
    .filter(({ served }) => served)
    .toSorted((left, right) => Number(right.storage) - Number(left.storage))
    .map(({ name: version, subresources = {} }) => ({
      group,
      version,
      plural: names.plural,
      singular: names.singular ?? names.kind.toLowerCase(),
      kind: names.kind,
      listKind: names.listKind ?? `${names.kind}List`,
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      namespaced: scope === "Namespaced",
      subresources: [...(subresources.status ? ["status"] : []), ...(subresources.scale ? ["scale"] : [])],
      generation: true,
      custom: true,
    }));
}

function withCondition(conditions: readonly Condition[], type: string, reason: string, message: string): Condition[] {
  if (conditions.some((condition) => condition.type === type)) return [...conditions];
  return [...conditions, { lastTransitionTime: timestamp(), message, reason, status: "True", type }];
}
