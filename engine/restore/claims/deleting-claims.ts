import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { DrsError } from "../../errors.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { waitUntilGone } from "../../kubernetes/waiting.ts";
import { releaseSources } from "../../volumes/snapshots/source-protection.ts";
import { retainVolumes, type LeftClaims } from "./retained-volumes.ts";
import type { Scope } from "../source/scope.ts";
import { volumeOf } from "../../volumes/bound-claims.ts";

/**
 * Deletes the claims in the scope and keeps their volumes. Those that are left stay, with a warning that names each; of
 * them only those go that somebody else has deleted, now that no pod uses them. May run again.
 */
export async function deleteClaims(
  deps: JobDeps,
  context: JobContext,
  scope: Scope,
  isLeft: LeftClaims,
): Promise<void> {
  const { cluster, limits } = deps;
  const { signal } = context;
  await retainVolumes(deps, context, scope); // of claims that have come since, too
  const isIn = (claim: KubernetesObject) => scope.liveReachOf(persistentVolumeClaims, claim.metadata) === "as saved";
  const goes = (claim: KubernetesObject) =>
    isIn(claim) && (!isLeft(claim) || claim.metadata.deletionTimestamp !== undefined);
  const counts = new Map<string, number>();
  for (const namespace of scope.targetNamespaces) {
    let count = 0;
    const claims = cluster.list(persistentVolumeClaims, namespace, signal);
    await forEachInFlight(claims, limits.clusterConcurrency, async (claim) => {
      const { name } = claim.metadata;
      if (goes(claim)) {
        await cluster.delete(persistentVolumeClaims, namespace, name, signal);
        count++;
      } else if (isIn(claim) && volumeOf(claim) !== "")
        context.warn(
          "DRS-R074",
          namespace,
          `the backup does not have the data of claim ${name}, which is left as it is`,
        );
    });
    counts.set(namespace, count);
  }
  await claimsGone(deps, context, scope.targetNamespaces, goes);
  for (const [namespace, count] of counts)
    if (count > 0)
      context.info(`deleted ${count} claims of ${namespace}; their volumes are retained until the restore is over`);
}

/**
 * Waits until deleted claims are gone, in all the namespaces at once. Finalizers that hold them for too long, except by a pod
 * that uses them, are removed with a warning. FAILED_PRECONDITION names those that are still there.
 */
export async function claimsGone(
  deps: JobDeps,
  context: JobContext,
  namespaces: Iterable<string>,
  isOurs: (claim: KubernetesObject) => boolean,
): Promise<void> {
  const { clusterConcurrency, podsStopTimeout } = deps.limits;
  const held: string[] = [];
  await forEachInFlight(namespaces, clusterConcurrency, async (namespace) => {
    const names = await claimsHeld(deps, context, namespace, isOurs);
    if (names.length > 0)
      held.push(
        `claims of ${namespace} are still there ${podsStopTimeout / 1000} s after their deletion: ${names.join(", ")}`,
      );
  });
  if (held.length > 0) throw new DrsError("FAILED_PRECONDITION", held.join("; "), { id: "DRS-R041" });
}

/** Waits as above; returns those that are there still, with what holds them. */
async function claimsHeld(
  deps: JobDeps,
  context: JobContext,
  namespace: string,
  isOurs: (claim: KubernetesObject) => boolean,
): Promise<readonly string[]> {
  const { cluster, limits } = deps;
  await releaseSources({ cluster, inFlight: limits.clusterConcurrency, signal: context.signal }, namespace);
  await releaseClaims(deps, context, namespace, isOurs);
  const timeoutMs = limits.podsStopTimeout;
  const wait = { type: persistentVolumeClaims, namespace, timeoutMs, signal: context.signal };
  const left = await waitUntilGone(cluster, wait, isOurs);
  return left.map(({ metadata }) => `${metadata.name} (held by ${metadata.finalizers?.join(", ") ?? "nothing"})`);
}

/**
 * Kubernetes' own finalizers hold a claim while a pod uses it; those stay. The snapshot controller's holds it while any
 * VolumeSnapshot of it is not ready, which may be forever.
 */
const ownFinalizer = /^kubernetes\.io\//;

function foreignFinalizers({ metadata }: KubernetesObject): readonly string[] {
  return (metadata.finalizers ?? []).filter((name) => !ownFinalizer.test(name));
}

/** Takes the finalizers from deleted claims that nobody else takes away in time. */
async function releaseClaims(
  { cluster, limits }: JobDeps,
  { signal, warn }: JobContext,
  namespace: string,
  isOurs: (claim: KubernetesObject) => boolean,
): Promise<void> {
  const wait = { type: persistentVolumeClaims, namespace, timeoutMs: limits.finalizerTimeout, signal };
  const held = await waitUntilGone(cluster, wait, (claim) => isOurs(claim) && foreignFinalizers(claim).length > 0);
  await forEachInFlight(held, limits.clusterConcurrency, async (claim) => {
    const { name, finalizers = [] } = claim.metadata;
    const kept = finalizers.filter((finalizer) => ownFinalizer.test(finalizer));
    const seconds = limits.finalizerTimeout / 1000;
    warn(
      "DRS-R087",
      namespace,
      `PersistentVolumeClaim ${name} was held by ${foreignFinalizers(claim).join(", ")} for ${seconds} s after its deletion: the finalizers were removed`,
    );
    await cluster.patch(persistentVolumeClaims, namespace, name, { metadata: { finalizers: kept } }, signal);
  });
}
