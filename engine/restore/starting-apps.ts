import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { nameOf, type NamespacedRestore, restoreObjects, restoreRefused } from "./namespaced-objects.ts";
import { OwnerLinks } from "./owner-links.ts";
import { refusalOf } from "./object-restorer.ts";
import { idleClaims } from "./idle-claims.ts";
import { isPaused, mayBePaused } from "./paused-deployments.ts";
import { isReady, notReady } from "./readiness.ts";
import { causeOf, failWhenTooMany, refusedSoFar, tellGivenUp } from "./refused-objects.ts";
import { scaledWorkloads, startedByCreation } from "./restore-order.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { restoreLimits } from "./restoring-limits.ts";
import { servedType } from "./served-types.ts";

type Selects = (namespace: string, type: ResourceType, name: string) => boolean;

/**
 * Starts what a source holds: the embedded database, then the vault, each until it is ready, then everything else; waits
 * for the success conditions. `letCallsIn` comes after it. May run again.
 *
 * What was not ready when it was saved is started and not waited for. FAILED_PRECONDITION names what does not come up;
 * unless `onLate` takes it, and everything else is started all the same. A workload that is not there, or may not be started, is an error
 * that names it; one that was refused until the others were up is started after them. FAILED_PRECONDITION as `failWhenTooMany` says.
 */
export async function startApps(
  source: RestoreSource,
  parts: JobParts,
  context: JobContext,
  onLate: (error: DrsError) => void = fail,
): Promise<void> {
  const { cluster, controlPlane, limits } = parts;
  const discovery = await cluster.discover(context.signal);
  const links = new OwnerLinks(context, source.notesPrefix);
  const isDatabase: Selects = (namespace, type, name) =>
    namespace === controlPlane.namespace &&
    resourceName(type) === "statefulsets.apps" &&
    name === controlPlane.databaseStatefulSet;
  const isVault: Selects = (namespace) => namespace === controlPlane.vaultNamespace;
  const restore = { parts, context, source, discovery, links };
  const start = async (what: string, selects: Selects, andThen = async () => {}) => {
    const unstarted = await scaleUp(restore, selects);
    await andThen();
    await waitUntilReady(restore, what, (...it) => selects(...it) && !unstarted.has(nameOf(...it)), onLate);
    return unstarted;
  };
  await start("the embedded database", isDatabase);
  await start("the vault", isVault);
  await restoreObjects(restore, partsOf(source, startedByCreation));
  const refused = await start(
    "the applications",
    () => true,
    () => links.linkPending(cluster, discovery.resources, limits.clusterConcurrency, false),
  );
  const told = await restoreRefused(restore);
  const unstarted =
    refused.size === 0 ? refused : await start("what was refused before", (...it) => refused.has(nameOf(...it)));
  for (const [what, text] of unstarted) if (!told.has(what)) tellGivenUp(context, source, { what, text });
  await restoreLimits(restore, context);
  await restoreRefused(restore); // of the limits
  await links.linkPending(cluster, discovery.resources, limits.clusterConcurrency, true);
  failWhenTooMany(parts, context, source);
}

function fail(error: DrsError): never {
  throw error;
}

const daemonSets = "daemonsets.apps";
const waitedFor = [...scaledWorkloads, daemonSets];

const missing = "is not there, and was not started: make it by hand";

/**
 * Gives workloads their replica counts, and pauses what was paused. Gives the names of those that were not started, daemon
 * sets among them, and why.
 */
async function scaleUp(
  { source, discovery, parts, context }: NamespacedRestore,
  selects: Selects,
): Promise<ReadonlyMap<string, string>> {
  const { cluster, limits } = parts;
  const { signal } = context;
  const unstarted = new Map<string, string>();
  const workloads = objectsOf(source, partsOf(source, waitedFor), signal);
  await forEachInFlight(workloads, limits.clusterConcurrency, async ({ type: saved, object }) => {
    const { namespace = "", name } = object.metadata;
    const type = servedType(discovery, saved);
    if (!selects(namespace, saved, name)) return;
    const isMissing = () => unstarted.set(nameOf(namespace, saved, name), missing);
    if (!type) {
      isMissing();
      return;
    }
    if (resourceName(saved) === daemonSets) {
      if (!(await cluster.get(type, namespace, name, signal))) isMissing();
      return;
    }
    const { replicas = 1 } = object["spec"] as { replicas?: number };
    const paused = isPaused(object);
    try {
      if (paused) await mayBePaused(parts, context, type, object);
      if (await cluster.patch(type, namespace, name, { spec: { replicas, ...(paused && { paused }) } }, signal))
        await restoreFieldOwners(cluster, type, object, signal);
      else isMissing();
    } catch (error) {
      unstarted.set(nameOf(namespace, saved, name), `was not started: ${refusalOf(error)}`);
    }
  });
  return unstarted;
}

async function waitUntilReady(
  { source, discovery, parts, context }: NamespacedRestore,
  what: string,
  selects: Selects,
  onLate: (error: DrsError) => void,
): Promise<void> {
  const late: string[] = [];
  let count = 0;
  for (const part of partsOf(source, [...waitedFor, "persistentvolumeclaims"])) {
    const type = servedType(discovery, part);
    if (!type) continue;
    const names = new Map<string, Set<string>>();
    for await (const { object } of objectsOf(source, [part], context.signal)) {
      const { namespace = "", name } = object.metadata;
      if (!selects(namespace, part, name) || !isReady(part, object)) continue;
      names.set(namespace, (names.get(namespace) ?? new Set()).add(name));
      count++;
    }
    for (const [namespace, wanted] of names) {
      if (resourceName(part) === "persistentvolumeclaims")
        for (const name of await idleClaims(parts.cluster, namespace, context.signal)) wanted.delete(name);
      for (const name of await notReady(parts, context, type, namespace, wanted))
        late.push(nameOf(namespace, type, name));
    }
  }
  if (late.length > 0) {
    const refused = refusedSoFar(context, source);
    const why =
      refused.length > 0
        ? `the cluster had refused ${refused.length} objects before: ${causeOf(refused)}`
        : "their pods' events and logs say why";
    onLate(
      new DrsError(
        "FAILED_PRECONDITION",
        `${what} did not come up within ${parts.limits.appsStartTimeout / 1000} s: ${late.join(", ")}; ${why}`,
      ),
    );
  } else if (count > 0) context.info(`${what}: ${count} workloads and claims are ready`);
}
