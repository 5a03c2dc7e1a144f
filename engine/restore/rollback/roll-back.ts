import { setTimeout as sleep } from "node:timers/promises";
import { safetyFolder } from "../../archive/archive-paths.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { removeAdded } from "../objects/added-objects.ts";
import { deleteObjects } from "../delete/deleting-objects.ts";
import { detachFromOwners } from "../claims/detaching.ts";
import { cleanUp } from "../fill/clean-up.ts";
import { discardFillers, giveFillersUp } from "../fill/discard-fillers.ts";
import { removeImported } from "../fill/imported-data.ts";
import { retainedVolumes } from "../claims/retained-volumes.ts";
import { letCallsIn } from "../calls/letting-calls-in.ts";
import { missingObjects } from "../objects/missing-objects.ts";
import { restoreRefused } from "../objects/restoring-refused.ts";
import { putClaimsBack, removeNewClaims } from "./putting-claims-back.ts";
import { restoreNamespaces } from "../objects/namespaces.ts";
import { enforcePodSecurity, forgetRelaxed, relaxedNamespaces } from "../objects/pod-security.ts";
import { OwnerLinks } from "../objects/owner-links.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import { causeOf, abandonedSoFar, refusedSoFar } from "../objects/refused-objects.ts";
import { userSnapshots } from "../../kinds/restore-order.ts";
import { type PutBack, cleanedUp, cleared, hasReached, putBack, rolledBack } from "../source/restore-checkpoints.ts";
import { objectsOf, partsOf, isOtherwise, type RestoreSource } from "../source/restore-source.ts";
import { safetySource } from "../plan/restore-sources.ts";
import { restoreClaims } from "../fill/restoring-claims.ts";
import { restoreFrom } from "../objects/restoring-objects.ts";
import { startApps } from "../start/starting-apps.ts";
import { stopApps } from "../stop/stopping-apps.ts";
import { removeWebhooks } from "../calls/webhooks.ts";

/**
 * Rolls a control plane back to its state before a failed restore, from the safety archive and the retained volumes:
 * objects that are as they were stay. It waits for a cluster, a storage or rights that are gone, and retries refused objects
 * for `rollBackTimeout`. An application that does not come up is reported, and delays no other one. Returns whether
 * all is as it was; each difference is an error that names it, and stays in the safety archive. May run again.
 */
export async function rollBack(deps: JobDeps, context: JobContext): Promise<boolean> {
  const before = rolledBack.find(context);
  if (before !== undefined) return before.isAsBefore;
  // There is nothing else to go back to.
  const all = { ...deps, restore: { ...deps.restore, maxRefusedObjects: Number.POSITIVE_INFINITY } };
  context.info("rolling back to the state before this restore");
  const back = rollbackContext(context);
  const source = await safetySource(deps, back);
  if (putBack.find(context) === undefined) putBack.write(context, await putAllBack(source, all, back));
  if (cleanedUp.find(context) === undefined) {
    // Before the control plane's webhooks are back: these may refuse the removal.
    await cleanUp(
      back.error,
      () => discardFillers(deps, back),
      () => removeImported(deps, back),
    );
    cleanedUp.write(context, { isCleanedUp: true });
  }
  await letCallsIn(source, all, back);
  await tryRefusedAgain(source, all, back);
  await enforcePodSecurity(source, all, back);
  forgetRelaxed(back);
  const { late } = putBack.read(context);
  for (const text of late) back.error("DRS-R051", "", text);
  const isWhole = await reportNotRestored(source, deps, back);
  const notUp = (conjunction: "and" | "but") =>
    late.length === 0 ? "" : `, ${conjunction} not all of its applications are up`;
  const isAsBefore = isWhole && !isOtherwise(back, source);
  const lies = whereAllLies(deps, context);
  if (isAsBefore)
    context.error(
      "DRS-R002",
      "",
      `the restore failed and was rolled back: the control plane is as before${notUp("but")}`,
    );
  else if (isWhole)
    context.error(
      "DRS-R002",
      "",
      `the restore failed and was rolled back: the control plane is as before, except for the objects its warnings name${notUp("but")}. ${lies}`,
    );
  else
    context.error(
      "DRS-R004",
      "",
      `the restore failed, and its rollback did not bring everything back${notUp("and")}. ${lies}`,
    );
  rolledBack.write(context, { isAsBefore });
  return isAsBefore;
}

/** Lines of the log have the name of the phase that failed, and an error may have the words of the way there. */
function rollbackContext(context: JobContext): JobContext {
  const { info, warn, error } = context;
  return {
    ...context,
    info: (text, code) => info(`rolling back: ${text}`, code),
    warn: (code, namespace, text) => warn(code, namespace, `rolling back: ${text}`),
    error: (code, namespace, text) => error(code, namespace, `rolling back: ${text}`),
  };
}

/** Puts back all but webhooks. */
async function putAllBack(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<PutBack> {
  if (hasReached(context, "deleting") && cleared.find(context) === undefined) {
    await clearAway(source, deps, context);
    cleared.write(context, { isCleared: true });
  }
  await restoreNamespaces(deps, context, source);
  const ofClaims = await putBackClaims(source, deps, context);
  await restoreFrom(source, deps, context);
  const late = await start(source, deps, context);
  return { ofClaims, late };
}

/** Starts the applications. Returns the reports of those that do not come up: they delay no other one. */
async function start(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<readonly string[]> {
  const late: string[] = [];
  await startApps(source, deps, context, ({ message }) => late.push(message));
  return late;
}

/** Puts the claims back. Returns the obstacles of some of them: these delay no others. */
async function putBackClaims(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<string> {
  const { signal } = context;
  const links = new OwnerLinks(context, source.notesPrefix);
  for await (const { object } of objectsOf(source, source.reader.parts, signal)) links.expect(object);
  // They are there still, but may have lost their owners.
  const staying = partsOf(source, ["persistentvolumeclaims", ...userSnapshots]);
  for await (const { type, object } of objectsOf(source, staying, signal)) links.relink(type, object);
  if (hasReached(context, "deleting")) await removeNewClaims(source, deps, context);
  await giveFillersUp(deps, context); // or anyone who creates a claim of such a name gets the saved data
  const refusals: string[] = [];
  const attempt = (work: Promise<void>) => work.catch((error: unknown) => void refusals.push(refusalOf(error)));
  await attempt(putClaimsBack(deps, context, source));
  // It would make those that are missing without their data.
  if (refusals.length === 0) await attempt(restoreClaims(deps, context, source, links));
  return refusals.join("; ");
}

/** Stops the workloads the restore has made, and deletes new objects, except claims. */
async function clearAway(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  const { scope } = source;
  await removeWebhooks(deps, context, scope.wholeNamespaces);
  try {
    await stopApps(deps, context, scope);
  } catch (error) {
    // The cluster keeps claims that are in use: to go on loses no data, to stop would leave everything half rolled back.
    if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
    context.warn(error.id, "", error.message);
  }
  const discovery = await deps.cluster.discover(context.signal);
  await detachFromOwners(deps, context, discovery, scope.wholeNamespaces, () => true);
  await deleteObjects(source, deps, context, discovery);
  await removeAdded(source, deps, context);
}

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;

/** A policy that refuses former objects may be changed, or its condition may be met. */
async function tryRefusedAgain(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  const { cluster, restore, limits } = deps;
  const limit = Date.now() + restore.rollBackTimeout;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const refused = refusedSoFar(context, source);
    const { ofClaims } = putBack.read(context);
    if ((refused.length === 0 && ofClaims === "") || Date.now() >= limit) return;
    const pause = Math.min(pauseMs, Math.max(limit - Date.now(), 0));
    const again = `tried again in ${(pause / 1_000).toFixed(1)} s`;
    if (ofClaims !== "") context.info(`${ofClaims}; ${again}`);
    if (refused.length > 0)
      context.info(`${refused.length} objects are still refused, and ${again}: ${causeOf(refused)}`);
    await sleep(pause, undefined, { signal: context.signal });
    if (ofClaims !== "") {
      const left = await putBackClaims(source, deps, context);
      // Applications that waited for them come up now.
      const late = left === "" ? await start(source, deps, context) : putBack.read(context).late;
      putBack.write(context, { ofClaims: left, late });
    }
    const discovery = await cluster.discover(context.signal);
    const links = new OwnerLinks(context, source.notesPrefix);
    await restoreRefused({ deps, context, source, discovery, links });
    await links.linkPending(cluster, discovery.resources, limits.clusterConcurrency, true);
  }
}

/** Looks for everything that was there before. Reports each object that is missing or different; returns whether there is none. */
async function reportNotRestored(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<boolean> {
  const { ofClaims } = putBack.read(context);
  let isWhole = abandonedSoFar(context, source).length === 0 && ofClaims === "";
  if (ofClaims !== "") context.error("DRS-R056", "", ofClaims);
  for (const text of refusedSoFar(context, source)) {
    isWhole = false;
    context.error("DRS-R057", "", `is not as it was before: ${text}`);
  }
  for (const { namespace, type, name } of await missingObjects(source, deps, context)) {
    isWhole = false;
    context.error("DRS-R057", namespace, `${type.kind} ${name} does not exist`);
  }
  return isWhole;
}

/** Where a person finds the objects and data that a restore has replaced. */
export function whereAllLies({ storage }: JobDeps, context: JobContext, section = "When a rollback fails"): string {
  const volumes = retainedVolumes(context).map(
    (retained) => `${retained.persistentVolume} of ${retained.namespace}/${retained.claim}`,
  );
  const data = volumes.length === 0 ? "in the claims as they are" : `in the persistent volumes ${volumes.join(", ")}`;
  const relaxed = relaxedNamespaces(context);
  const levels =
    relaxed.length === 0
      ? ""
      : `. Pod Security is laxer than it was, until its label is set again, in ${relaxed.join(", ")}`;
  return (
    `The objects that were there before are in ${storage.description} under ${safetyFolder(context.job.uuid)}, ` +
    `the data ${data}: see "${section}" in docs/operations.md${levels}`
  );
}
