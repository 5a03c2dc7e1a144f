import type { DiscoveredResource } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { occupiedKinds } from "../../objects/occupied-kinds.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { nameOf } from "../../objects/object-names.ts";
import { clearedKinds } from "../delete/cleared-kinds.ts";
import { refusalIn } from "./refusals.ts";
import { deletionWaves } from "../../kinds/restore-order.ts";
import { savedNames } from "../source/saved-names.ts";
import type { UnsavedObject } from "../compare/seen-objects.ts";
import type { Trial } from "./trial.ts";
import { wantedObject } from "../../kinds/wanted-object.ts";
import { unsavedObjects } from "../source/unsaved-objects.ts";

/**
 * Asks the API server whether it would delete every object that is in the namespaces and not in the archive, and whether it
 * would let a rollback recreate them.
 */
export async function tryToDelete(trial: Trial): Promise<void> {
  const { source, discovery, deps, signal, namespaces, refusals, findings } = trial;
  const { cluster, limits } = deps;
  const inFlight = limits.clusterConcurrency;
  const cleared = clearedKinds(source, discovery, discovery.unavailable);
  const kinds = await occupiedKinds(cluster, cleared, [...namespaces], inFlight, signal);
  await forEachInFlight(deletionWaves(kinds).flat(), inFlight, async (type) => {
    const names = await savedNames(source, type, signal);
    for (const namespace of namespaces)
      await forEachInFlight(
        source.index.seen.unsavedOf(type, namespace) ??
          namesOf(unsavedObjects(cluster, type, namespace, names.get(namespace), signal)),
        inFlight,
        async ({ name, uid }) => {
          if (!source.scope.hasLive(type, { namespace, name })) return undefined;
          const refusal = await refusalIn(() => cluster.dryRun.delete(type, namespace, name, signal, { uid }));
          if (!refusal) return reportWayBack(trial, type, namespace, name);
          const text = `${nameOf(namespace, type, name)} is not in the backup and cannot be deleted: ${refusal.message}`;
          const weight = refusals.weigh(refusal, namespace);
          if (weight === "held") findings.unstoppable.set(`${text}; allow that, and restore again`, "DRS-R018");
          if (weight === "inconclusive") findings.inconclusive.push(text);
          return undefined;
        },
      );
  });
}

async function* namesOf(objects: AsyncIterable<KubernetesObject>): AsyncGenerator<UnsavedObject> {
  for await (const { metadata } of objects) yield { name: metadata.name, uid: metadata.uid ?? "" };
}

async function reportWayBack(
  { deps: { cluster }, refusals, findings, signal }: Trial,
  type: DiscoveredResource,
  namespace: string,
  name: string,
): Promise<void> {
  const live = await cluster.get(type, namespace, name, signal);
  if (!live || rulesOf(type).isOver?.(live)) return;
  const refusal = await refusalIn(() =>
    cluster.dryRun.create(type, namespace, wantedObject(type, live, { started: true }), signal),
  );
  if (refusal && refusals.weigh(refusal, namespace) === "held")
    findings.oneWay.push(`${nameOf(namespace, type, name)}: ${refusal.message}`);
}
