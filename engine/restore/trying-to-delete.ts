import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import { type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { isMadeByCluster, isSavedResource } from "../objects/object-selection.ts";
import { occupiedKinds } from "../objects/occupied-kinds.ts";
import { nameOf } from "./object-names.ts";
import { refusalIn } from "./refusals.ts";
import { deletionWaves } from "./restore-order.ts";
import { savedNames } from "./saved-names.ts";
import type { Trial } from "./trial.ts";

/** Asks the API server whether it lets everything be deleted that is in the namespaces and not in the archive. */
export async function tryToDelete(trial: Trial): Promise<void> {
  const { source, discovery, parts, signal, namespaces, refusals, findings } = trial;
  const { cluster, limits } = parts;
  const inFlight = limits.clusterConcurrency;
  const saved = discovery.resources.filter(isSavedResource);
  const kinds = await occupiedKinds(cluster, saved, [...namespaces], inFlight, signal);
  await forEachInFlight(deletionWaves(kinds).flat(), inFlight, async (type) => {
    const names = await savedNames(source, type, signal);
    for (const namespace of namespaces)
      await forEachInFlight(unsaved(trial, type, namespace, names.get(namespace)), inFlight, async ({ metadata }) => {
        const { name, uid = "" } = metadata;
        const refusal = await refusalIn(() => cluster.dryRun.delete(type, namespace, name, signal, { uid }));
        if (!refusal) return;
        const text = `${nameOf(namespace, type, name)} is not in the backup and cannot be deleted: ${refusal.message}`;
        const weight = refusals.weigh(refusal, namespace);
        if (weight === "held")
          findings.unstoppable.push(`${text}; see to it that the cluster lets it be deleted, and restore again`);
        if (weight === "untold") findings.untold.push(text);
      });
  });
}

async function* unsaved(
  { parts: { cluster }, signal }: Trial,
  type: ResourceType,
  namespace: string,
  saved: ReadonlySet<string> | undefined,
) {
  // Only of these it does not show in the metadata what the cluster has made itself.
  const isWhole = resourceName(type) === "secrets";
  const found = isWhole ? cluster.list(type, namespace, signal) : cluster.listMetadata(type, namespace, signal);
  try {
    for await (const object of found)
      if (saved?.has(object.metadata.name) !== true && !isMadeByCluster(type, object)) yield object;
  } catch (error) {
    if (!hasStatus(error, 404, 405)) throw error; // a kind that has gone since discovery
  }
}
