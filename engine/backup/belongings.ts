import type { JobContext } from "../jobs/phase.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { findBelongings } from "../objects/belongings.ts";
import { bindingsElsewhere } from "../objects/bindings-elsewhere.ts";
import { listed } from "../objects/listed.ts";
import type { BackupDeps } from "./backup-deps.ts";

/** Kinds that are looked through at once, beside those that are being saved. */
const kindsAtOnce = 8;

/**
 * Objects that belong to the control plane though nothing in its namespaces names them, looked for while those are saved. Reports
 * where it could not look, and which requested objects it has not found.
 */
export function lookForBelongings(
  { cluster, parameters: { furtherObjects: further } }: BackupDeps,
  { signal, info, warn }: JobContext,
  discovery: Discovery,
  namespaces: readonly string[],
): AsyncIterable<{ readonly type: ResourceType; readonly object: KubernetesObject }> {
  // What an aggregated API keeps is in its own data, unless somebody says that it is not.
  const isLookedThrough = (kind: ResourceType) =>
    discovery.serverOf(kind.apiVersion) === undefined ||
    further.some(({ resource }) => resource === resourceName(kind));
  const found = findBelongings({
    cluster,
    resources: discovery.resources.filter(isLookedThrough),
    namespaces,
    further,
    inFlight: kindsAtOnce,
    signal,
  });
  const elsewhere = bindingsElsewhere(cluster, namespaces, signal);
  for (const promise of [found, elsewhere]) promise.catch(() => {}); // thrown where it is waited for
  return (async function* () {
    const bindings = await elsewhere;
    if (bindings.length > 0)
      info(`not saved, as they are in other namespaces: role bindings for accounts of these, ${listed(bindings)}`);
    const { objects, unread, missing } = await found;
    if (unread.length > 0)
      info(
        `objects installed by Helm releases were not looked for: the account may not get and list ${unread.join(", ")}`,
      );
    if (missing.length > 0)
      warn("DRS-B017", "", `--further-objects names objects that do not exist: ${listed(missing)}`);
    for (const { type, name } of objects) yield { type, object: { metadata: { name } } };
  })();
}
