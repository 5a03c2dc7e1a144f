import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { claimsGone } from "./deleting-claims.ts";
import { listed } from "../../objects/listed.ts";
import type { Scope } from "../source/scope.ts";
import { whoStarts } from "../stop/running-kinds.ts";
import { stopApps } from "../stop/stopping-apps.ts";

/**
 * Deletes claims that somebody has made since the restore deleted the ones of their names, with the pods that use them. Often
 * that is a controller which has not heard yet that its stateful set is gone; their new volumes hold nothing that was saved.
 *
 * FAILED_PRECONDITION after `limit`, a time, names them and who makes them.
 */
export async function removeRecreated(
  deps: JobDeps,
  context: JobContext,
  scope: Scope,
  claims: readonly KubernetesObject[],
  limit: number,
): Promise<void> {
  if (claims.length === 0) return;
  const { cluster, limits } = deps;
  const { signal } = context;
  const names = listed(claims.flatMap((claim) => whoStarts(persistentVolumeClaims, claim, ["spec"]) ?? []));
  if (Date.now() >= limit)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `claims have been created by others during this restore for ${limits.podsStopTimeout / 1000} s: ${names}; ` +
        "pause whatever does that until the restore is over, and restore again",
      { id: "DRS-R049" },
    );
  context.info(`created by others during this restore, and deleted: ${names}`, "DRS-R049");
  await stopApps(deps, context, scope);
  await forEachInFlight(claims, limits.clusterConcurrency, ({ metadata: { namespace = "", name } }) =>
    cluster.delete(persistentVolumeClaims, namespace, name, signal),
  );
  const uids = new Set(claims.map(({ metadata }) => metadata.uid));
  const theirs = new Set(claims.map(({ metadata }) => metadata.namespace ?? ""));
  await claimsGone(deps, context, theirs, ({ metadata }) => uids.has(metadata.uid));
}
