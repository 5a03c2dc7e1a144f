import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { isRevision } from "../../objects/object-selection.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { restoreObjects } from "../objects/namespaced-objects.ts";
import type { NamespacedRestore } from "../objects/restore-object.ts";
import { makeRunning, restoreRefused } from "../objects/restoring-refused.ts";
import { nameOf } from "../../objects/object-names.ts";
import { OwnerLinks } from "../objects/owner-links.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import { unconsumedClaims } from "../claims/unconsumed-claims.ts";
import { isPaused } from "../../kinds/apps/paused-deployments.ts";
import { mayBePaused } from "./pausing-deployments.ts";
import { type LateApp, reportLate } from "./late-apps.ts";
import { listed } from "../../objects/listed.ts";
import { noteGone } from "../objects/missing-objects.ts";
import { savedReadiness } from "../../kinds/readiness.ts";
import { causeOf, failWhenTooMany, refusedSoFar, reportAbandoned } from "../objects/refused-objects.ts";
import { limitKinds, scaledWorkloads, startedByCreation } from "../../kinds/restore-order.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { replayRollOut } from "./replaying-roll-outs.ts";
import { restoreLimits } from "../objects/restoring-limits.ts";
import { type RollOut, rollOutsOf } from "../objects/roll-outs.ts";
import { isClaimLeftOut } from "../plan/left-out.ts";
import { type ServedType, servedType } from "../../kinds/served-types.ts";
import { tidyRevisions } from "./tidying-revisions.ts";
import { notReady } from "./waiting-for-apps.ts";
import { isClaim } from "../../kinds/core/claim.ts";

type Selects = (namespace: string, type: ResourceType, name: string) => boolean;

/**
 * Starts what a source holds: the embedded database, then the vault, each until it is ready, then everything else; waits
 * for the success conditions. `letCallsIn` comes after it. May run again.
 *
 * Objects that were partly ready when saved are waited for to the same extent. All waits together take no longer than
 * `appsStartTimeout`. FAILED_PRECONDITION names those that do not come up, and the job's log has the reasons;
 * unless `onLate` takes it, and everything else is started all the same. A workload that is not there, or may not be started, is an error
 * that names it; one that was refused until the others were up is started after them. FAILED_PRECONDITION as `failWhenTooMany` says.
 * Returns whether all that was restored was seen there when nothing was left to be restored.
 */
export async function startApps(
  source: RestoreSource,
  deps: JobDeps,
  context: JobContext,
  onLate: (error: DrsError) => void = fail,
): Promise<{ readonly isAllSeen: boolean }> {
  const { cluster, controlPlane, limits } = deps;
  const deadline = Date.now() + limits.appsStartTimeout;
  const discovery = await cluster.discover(context.signal);
  const links = new OwnerLinks(context, source.notesPrefix);
  const placeOf = (saved: string) => source.scope.targetOf(saved) ?? saved;
  const isDatabase: Selects = (namespace, type, name) =>
    namespace === placeOf(controlPlane.namespace) &&
    resourceName(type) === "statefulsets.apps" &&
    name === controlPlane.databaseStatefulSet;
  const isVault: Selects = (namespace) => namespace === placeOf(controlPlane.vaultNamespace);
  const restore = { deps, context, source, discovery, links };
  const rollOuts = await rollOutsOf(source, context.signal);
  const start = async (what: string, selects: Selects, andThen = async () => {}) => {
    const unstarted = await scaleUp(restore, selects, rollOuts, deadline);
    await andThen();
    await replay(restore, selects, rollOuts, unstarted, deadline);
    await waitUntilReady(restore, what, (...it) => selects(...it) && !unstarted.has(nameOf(...it)), onLate, deadline);
    return unstarted;
  };
  await start("the embedded database", isDatabase);
  await start("the vault", isVault);
  await replay(restore, (_namespace, type) => resourceName(type) === daemonSets, rollOuts, new Map(), deadline);
  await restoreObjects(restore, partsOf(source, startedByCreation));
  const refused = await start(
    "the applications",
    () => true,
    () => links.linkPending(cluster, discovery.resources, limits.clusterConcurrency, false),
  );
  const isWhole = await noteGone(restore);
  const reported = await restoreRefused(restore);
  const unstarted =
    refused.size === 0 ? refused : await start("objects refused before", (...it) => refused.has(nameOf(...it)));
  for (const [what, text] of unstarted)
    if (!reported.has(what))
      reportAbandoned(context, source, { code: text === missing ? "DRS-R063" : "DRS-R003", what, text });
  await tidyRevisions(restore);
  await restoreLimits(restore);
  await restoreRefused(restore); // of the limits
  await links.linkPending(cluster, discovery.resources, limits.clusterConcurrency, true);
  failWhenTooMany(deps, context, source);
  return { isAllSeen: isWhole && partsOf(source, limitKinds).length === 0 }; // which were written after that
}

function fail(error: DrsError): never {
  throw error;
}

const daemonSets = "daemonsets.apps";
const waitedFor = [...scaledWorkloads, daemonSets];

const missing = "does not exist, and was not started: create it by hand";

/**
 * Gives workloads their replica counts, and pauses those that were paused. Returns the names of those that were not started, daemon
 * sets among them, and why.
 */
async function scaleUp(
  restore: NamespacedRestore,
  selects: Selects,
  rollOuts: ReadonlyMap<string, RollOut>,
  deadline: number,
): Promise<Map<string, string>> {
  const { source, discovery, deps, context } = restore;
  const { cluster, limits } = deps;
  const { signal } = context;
  const unstarted = new Map<string, string>();
  const workloads = objectsOf(source, partsOf(source, waitedFor), signal);
  await forEachInFlight(workloads, limits.clusterConcurrency, async ({ type: saved, object }) => {
    const { namespace = "", name } = object.metadata;
    const type = servedType(discovery, saved);
    if (!selects(namespace, saved, name) || isRevision(saved, object)) return;
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
      if (rollOuts.get(object.metadata.uid ?? "")?.older) {
        const isThere =
          (await cluster.get(type, namespace, name, signal)) ?? (await makeRunning(restore, type, object));
        if (!isThere) isMissing();
        return;
      }
      if (paused) await mayBePaused(deps, context, type, object, deadline);
      const scale = () =>
        cluster.patch(type, namespace, name, { spec: { replicas, ...(paused && { paused }) } }, signal);
      if ((await scale()) ?? ((await makeRunning(restore, type, object)) && (await scale())))
        await restoreFieldOwners(cluster, type, object, signal);
      else isMissing();
    } catch (error) {
      unstarted.set(nameOf(namespace, saved, name), `was not started: ${refusalOf(error)}`);
    }
  });
  return unstarted;
}

/** Starts workloads saved in a roll-out with their older revision first; adds the refused ones to those not started. */
async function replay(
  restore: NamespacedRestore,
  selects: Selects,
  rollOuts: ReadonlyMap<string, RollOut>,
  unstarted: Map<string, string>,
  deadline: number,
): Promise<void> {
  const { discovery, deps } = restore;
  await forEachInFlight(rollOuts.values(), deps.limits.clusterConcurrency, async (rollOut) => {
    const { namespace = "", name } = rollOut.archived.metadata;
    const type = servedType(discovery, rollOut.type);
    const what = nameOf(namespace, rollOut.type, name);
    if (!type || !rollOut.older || unstarted.has(what) || !selects(namespace, rollOut.type, name)) return;
    try {
      await replayRollOut(restore, type, rollOut, deadline);
    } catch (error) {
      unstarted.set(what, `was not started: ${refusalOf(error)}`);
    }
  });
}

/** The objects to wait for, each as far as it was up when saved, by kind and namespace. */
async function wantedUp(
  { source, discovery, deps, context }: NamespacedRestore,
  selects: Selects,
): Promise<readonly Wanted[]> {
  const wanted: Wanted[] = [];
  for (const part of partsOf(source, [...waitedFor, "persistentvolumeclaims"])) {
    const type = servedType(discovery, part);
    if (!type) continue;
    const counts = new Map<string, Map<string, number>>();
    for await (const { object } of objectsOf(source, [part], context.signal)) {
      const { namespace = "", name } = object.metadata;
      const count = savedReadiness(part, object);
      if (count === undefined || !selects(namespace, part, name) || isRevision(part, object)) continue;
      if (isClaim(part) && isClaimLeftOut(source, object)) continue;
      counts.set(namespace, (counts.get(namespace) ?? new Map<string, number>()).set(name, count));
    }
    for (const [namespace, names] of counts) {
      if (isClaim(part))
        for (const name of await unconsumedClaims(deps.cluster, namespace, context.signal)) names.delete(name);
      wanted.push({ type, namespace, names });
    }
  }
  return wanted;
}

interface Wanted {
  readonly type: ServedType;
  readonly namespace: string;
  readonly names: ReadonlyMap<string, number>;
}

/** All are waited for at once, and no longer than until the deadline. */
async function waitUntilReady(
  restore: NamespacedRestore,
  what: string,
  selects: Selects,
  onLate: (error: DrsError) => void,
  deadline: number,
): Promise<void> {
  const { source, deps, context } = restore;
  const late: LateApp[] = [];
  const wanted = await wantedUp(restore, selects);
  await forEachInFlight(wanted, deps.limits.clusterConcurrency, async ({ type, namespace, names }) => {
    for (const name of await notReady(deps, context, type, namespace, names, deadline))
      late.push({ type, namespace, name });
  });
  const count = wanted.reduce((sum, { names }) => sum + names.size, 0);
  if (late.length === 0) {
    if (count > 0) context.info(`${what}: ${count} workloads and claims are ready`);
    return;
  }
  const causes = await reportLate(deps, context, late);
  const refused = refusedSoFar(context, source);
  const why =
    refused.length > 0
      ? `the cluster had refused ${refused.length} objects before: ${causeOf(refused)}`
      : causes.length > 0
        ? `${listed(causes, "; ")}; more is in the job's log`
        : "nothing says why: see the log of the cluster's controller manager";
  const names = late.map(({ type, namespace, name }) => nameOf(namespace, type, name)).toSorted();
  onLate(
    new DrsError(
      "FAILED_PRECONDITION",
      `${what} did not come up within ${deps.limits.appsStartTimeout / 1000} s: ${names.join(", ")}; ${why}`,
      { id: "DRS-R051" },
    ),
  );
}
