import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { customResourceDefinitions } from "../../kubernetes/built-in-kinds.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { groupOf, type KubernetesObject, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { savedResources } from "../../objects/object-selection.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";

/**
 * Brings custom resources that may be stored in another version to their kind's storage version, where their converter
 * is an application of the namespaces, or will be when their definition is as saved: once it is stopped, such an object can be
 * neither listed nor deleted. An empty update rewrites an object. To be called before anything is stopped, and when no webhook of theirs can refuse it; may run again.
 * https://kubernetes.io/docs/tasks/manage-kubernetes-objects/storage-version-migration/
 */
export async function toStorageVersions(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  { signal, info }: JobContext,
  source: RestoreSource,
  discovery: Discovery,
): Promise<void> {
  const namespaces = source.scope.wholeNamespaces;
  const willBeConverted = new Set<string>();
  const saved = partsOf(source, [resourceName(customResourceDefinitions)]);
  for await (const { object } of objectsOf(source, saved, signal))
    if (isConvertedIn(object, namespaces)) willBeConverted.add(object.metadata.name);
  for (const kind of savedResources(discovery, namespaces)) {
    if (!groupOf(kind.apiVersion).includes(".")) continue;
    const definition = await cluster.get(customResourceDefinitions, "", resourceName(kind), signal);
    if (!definition || !isStoredInMore(definition)) continue;
    if (!isConvertedIn(definition, namespaces) && !willBeConverted.has(resourceName(kind))) continue;
    let count = 0;
    for (const namespace of namespaces)
      await forEachInFlight(cluster.list(kind, namespace, signal), limits.clusterConcurrency, async ({ metadata }) => {
        await cluster.patch(kind, namespace, metadata.name, {}, signal);
        count++;
      });
    info(`${count} ${resourceName(kind)} are in their storage version: their converter is about to be stopped`);
  }
}

function isConvertedIn(definition: KubernetesObject, namespaces: readonly string[]): boolean {
  const { conversion } = definition["spec"] as {
    conversion?: { webhook?: { clientConfig?: { service?: { namespace?: string } } } };
  };
  return namespaces.includes(conversion?.webhook?.clientConfig?.service?.namespace ?? "");
}

function isStoredInMore({ status }: KubernetesObject): boolean {
  const { storedVersions = [] } = (status ?? {}) as { storedVersions?: string[] };
  return storedVersions.length > 1;
}
