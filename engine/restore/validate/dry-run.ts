import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { existingNamespaces } from "../../objects/entities.ts";
import { listed } from "../../objects/listed.ts";
import { Refusals } from "./refusals.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { RightsToGrant } from "./rights-granted.ts";
import type { Definitions } from "./saved-definitions.ts";
import { Findings, type Trial } from "./trial.ts";
import { tryObjects } from "./trying-objects.ts";
import { tryToDelete } from "./trying-to-delete.ts";
import { tryPods } from "./trying-pods.ts";
import { tryToStart, tryToStop } from "./trying-to-stop.ts";
import { isNamespace } from "../../kinds/core/namespace.ts";

/**
 * Asks the API server, without a change, whether it would take every step of the restore: stopping what runs, creating or
 * changing every object that is not as it was saved, and starting pods again. A refusal now would be a refusal later.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
 *
 * FAILED_PRECONDITION names running workloads that may not be stopped, or existing objects that could not be recreated or started again: they would be
 * lost, so one is too many. It also names the objects that could not be created or changed, when they are more than
 * a restore may be without; fewer are logged. PERMISSION_DENIED names the rights without which roles would be refused that
 * grant more than the service's account has.
 *
 * Refusals by anything that the restore itself removes, such as a webhook of the control plane, or brings, do not count; nor do quotas
 * and limit ranges.
 */
export async function dryRun(
  source: RestoreSource,
  discovery: Discovery,
  definitions: Definitions,
  { cluster, limits, restore }: Pick<JobDeps, "cluster" | "limits" | "restore">,
  context: JobContext,
): Promise<void> {
  const { signal } = context;
  const findings = new Findings();
  const refusals = await Refusals.of(source, cluster, signal);
  const namespaces = await existingNamespaces(cluster, source.targetNamespaces, signal);
  const trial: Trial = {
    source,
    discovery,
    definitions,
    deps: { cluster, limits },
    signal,
    namespaces: new Set(namespaces),
    refusals,
    findings,
  };
  for (const name of source.targetNamespaces)
    if (!trial.namespaces.has(name))
      findings.inconclusive.push(`the objects of namespace ${name}, which does not exist`);
  for (const name of definitions.coming) findings.inconclusive.push(`${name}, whose definition comes with the backup`);
  const rights = new RightsToGrant();
  const tryAllObjects = async () => {
    await tryObjects(trial, ({ type, archived, deed }, refusal) => {
      const isOfRights = rights.note(type, archived, refusal);
      const isLost = deed === "replace" || isNamespace(type);
      if (refusal && !isOfRights) findings.note(trial, { type, object: archived }, refusal, isLost);
    });
    await rights.check(cluster, signal);
  };
  const trials = [tryAllObjects, tryToStop, tryToDelete, tryToStart, tryPods];
  await forEachInFlight(trials, trials.length, (attempt) => attempt(trial));
  report(findings, restore.maxRefusedObjects, context);
}

function report(findings: Findings, maxRefused: number, { info }: JobContext): void {
  const { tried, same, inconclusive, idle, oneWay } = findings;
  const unstoppable = [...findings.unstoppable.keys()].toSorted();
  const lost = findings.lost.toSorted();
  const refused = findings.refused.toSorted();
  if (unstoppable.length > 0)
    throw new DrsError("FAILED_PRECONDITION", listed(unstoppable, "; "), {
      id: findings.unstoppable.get(unstoppable[0] ?? ""),
    });
  if (lost.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `existing objects would be lost, because the cluster would not let them be created or started again: ${listed(lost, "; ")}; ` +
        "allow it, and restore again",
      { id: "DRS-R019" },
    );
  if (refused.length > maxRefused)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the API server would refuse objects of this backup, ${refused.length} of them, where --max-refused-objects allows ${maxRefused}: ${listed(refused, "; ")}`,
      { id: "DRS-R017" },
    );
  if (inconclusive.length > 0) info(`could not be tried: ${listed(inconclusive, "; ")}`);
  if (oneWay.length > 0)
    info(
      `if the restore fails, the cluster would not take back objects it changes or deletes: ${listed(oneWay, "; ")}; the safety archive keeps them`,
    );
  if (idle.length > 0) info(`pods that were not up would be refused: ${listed(idle, "; ")}`);
  if (refused.length > 0)
    info(
      `the API server would refuse ${refused.length} of ${tried} objects, and the restore goes on without them, as --max-refused-objects ${maxRefused} allows: ${listed(refused, "; ")}`,
    );
  else info(`the API server would take all of ${tried} objects; ${same} more are as they were saved`);
}
