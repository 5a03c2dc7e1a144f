import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { isMadeByCluster } from "../../objects/object-selection.ts";
import { unboundClaims, volumeOf } from "../../volumes/bound-claims.ts";
import { isRestored } from "../claims/fillers.ts";
import { dataRequest } from "../fill/imported-data.ts";
import { claimsGone } from "../claims/deleting-claims.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { freeVolume, isProvisioned, retainedVolume } from "../claims/former-volumes.ts";
import { claimsInUse } from "../claims/unconsumed-claims.ts";
import { releasedVolumes, releaseRestoredVolumes, retainedVolumes } from "../claims/retained-volumes.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import { objectsOf, partsOf, type RestoreSource, warnOtherwise } from "../source/restore-source.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import { deletionUndone, isMadeWithoutData } from "../claims/claims-without-data.ts";

/**
 * Deletes the claims that the restore has made, and with them their volumes, which are copies out of snapshots; `putClaimsBack`
 * waits for them. A claim that somebody else has made meanwhile stays, with a warning, unless it is in the place of one that
 * was there before. May run again.
 */
export async function removeNewClaims(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const retainedNames = new Set([
    ...retainedVolumes(context).map((volume) => volume.persistentVolume),
    ...releasedVolumes(context), // by an earlier run, to claims that it has put back
  ]);
  const before = await claimsBefore(source, signal);
  for (const namespace of source.targetNamespaces) {
    const claims = cluster.list(persistentVolumeClaims, namespace, signal);
    await forEachInFlight(claims, limits.clusterConcurrency, async (claim) => {
      const { name, uid, deletionTimestamp } = claim.metadata;
      if (!source.scope.hasLive(persistentVolumeClaims, claim.metadata)) return;
      const volumeName = volumeOf(claim);
      const former = before.get(`${namespace}/${name}`);
      const isThere =
        former?.metadata.uid === uid ||
        (volumeName !== "" && (retainedNames.has(volumeName) || (former && volumeOf(former) === volumeName)));
      const isFormer = isThere || isMadeWithoutData(context, source.notesPrefix, claim); // of an earlier run
      // One that is being deleted has to go before it can come back.
      if ((isFormer && deletionTimestamp === undefined) || isMadeByCluster(persistentVolumeClaims, claim)) return;
      const isOurs = isRestored(context, claim) || isMadeWithoutData(context, "", claim);
      if (!isOurs && !isFormer && !former) {
        context.warn("DRS-R077", namespace, `claim ${name} was created by someone else during this restore, and stays`);
        return;
      }
      const volume =
        volumeName === "" || isFormer ? undefined : await cluster.get(persistentVolumes, "", volumeName, signal);
      if (volume && isOurs && isProvisioned(volume)) {
        const policy = { spec: { persistentVolumeReclaimPolicy: "Delete" } };
        await cluster.patch(persistentVolumes, "", volumeName, policy, signal);
      }
      await cluster.delete(persistentVolumeClaims, namespace, name, signal);
    });
  }
}

/**
 * Gives the retained volumes to claims like those they were taken from, also to those that were being deleted: these come back as
 * claims that are not. Then it releases the volumes that are their claims' again; every other one stays retained, and is named. May run again.
 */
export async function putClaimsBack(deps: JobDeps, context: JobContext, source: RestoreSource): Promise<void> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const before = await claimsBefore(source, signal);
  // A claim that somebody has made since under the same name had another volume.
  const formerly = retainedVolumes(context).filter(({ namespace, claim, persistentVolume }) => {
    const saved = before.get(`${namespace}/${claim}`);
    return saved !== undefined && (volumeOf(saved) || persistentVolume) === persistentVolume;
  });
  const held = await heldClaims(deps, context, source, before);
  const refused = [...held].map(([key, holders]) => {
    const retained = formerly.find(({ namespace, claim }) => `${namespace}/${claim}` === key);
    const volume = retained ? `, whose volume is ${retained.persistentVolume}` : "";
    return `PersistentVolumeClaim ${key}${volume}: one is still there after its deletion, held by ${holders}`;
  });
  await forEachInFlight(formerly, limits.clusterConcurrency, async ({ namespace, claim, persistentVolume }) => {
    const saved = before.get(`${namespace}/${claim}`);
    if (!saved) return;
    if (held.has(`${namespace}/${claim}`)) return;
    if (!(await cluster.get(persistentVolumeClaims, namespace, claim, signal))) {
      const volume = await retainedVolume(deps, context, persistentVolume);
      if (volume) await freeVolume(cluster, volume, namespace, claim, signal);
      const wanted = sanitize(persistentVolumeClaims, saved);
      wanted["spec"] = { ...(wanted["spec"] as object), volumeName: persistentVolume };
      try {
        await cluster.createOnce(persistentVolumeClaims, namespace, wanted, signal);
      } catch (error) {
        refused.push(
          `PersistentVolumeClaim ${namespace}/${claim}, whose volume is ${persistentVolume}: ${refusalOf(error)}`,
        );
        return;
      }
      const isUndone = saved.metadata.deletionTimestamp !== undefined;
      const undone = `claim ${claim} has its volume ${persistentVolume} again; ${deletionUndone}`;
      if (isUndone) warnOtherwise(context, source, "DRS-R070", namespace, undone);
    }
    await restoreFieldOwners(cluster, persistentVolumeClaims, saved, signal);
  });
  if (refused.length > 0)
    throw new DrsError("FAILED_PRECONDITION", `claims could not be put back: ${refused.join("; ")}`, {
      id: "DRS-R056",
    });
  const lateIn: string[] = [];
  const formerlyIn = Map.groupBy(formerly, (volume) => volume.namespace);
  await forEachInFlight(formerlyIn, limits.clusterConcurrency, async ([namespace, here]) => {
    const names = new Set(here.map((volume) => volume.claim));
    const late = await unboundClaims(dataRequest(deps, context), namespace, names);
    if (late.length > 0) lateIn.push(`claims of ${namespace} did not bind to their old volumes: ${late.join(", ")}`);
  });
  if (lateIn.length > 0) throw new DrsError("FAILED_PRECONDITION", lateIn.join("; "), { id: "DRS-R047" });
  await releaseRestoredVolumes(deps, context);
}

/**
 * Waits for the end of terminating claims, except those in use by a pod. Gives the holders of those that are left, unless these
 * were terminating before, by namespace and name.
 */
async function heldClaims(
  deps: JobDeps,
  context: JobContext,
  { scope, targetNamespaces }: RestoreSource,
  before: ReadonlyMap<string, KubernetesObject>,
): Promise<ReadonlyMap<string, string>> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const held = new Map<string, string>();
  await forEachInFlight(targetNamespaces, limits.clusterConcurrency, async (namespace) => {
    const going = async () => {
      const claims = await Array.fromAsync(cluster.list(persistentVolumeClaims, namespace, signal));
      return claims.filter(
        ({ metadata }) => metadata.deletionTimestamp !== undefined && scope.hasLive(persistentVolumeClaims, metadata),
      );
    };
    const atFirst = await going();
    if (atFirst.length === 0) return;
    const used = await claimsInUse(cluster, namespace, signal);
    const unused = atFirst.filter(({ metadata }) => !used.has(metadata.name));
    const uids = new Set(unused.map(({ metadata }) => metadata.uid));
    try {
      if (uids.size > 0) await claimsGone(deps, context, [namespace], ({ metadata }) => uids.has(metadata.uid));
    } catch (error) {
      context.info(refusalOf(error)); // it keeps no other one
    }
    for (const claim of await going()) {
      const { name, uid, finalizers } = claim.metadata;
      const former = before.get(`${namespace}/${name}`);
      const wasSo = former?.metadata.uid === uid && former?.metadata.deletionTimestamp !== undefined;
      if (wasSo || isMadeByCluster(persistentVolumeClaims, claim)) continue;
      held.set(`${namespace}/${name}`, finalizers?.join(", ") ?? "nothing");
    }
  });
  return held;
}

/** The claims that were there before the restore, by namespace and name. */
async function claimsBefore(
  source: RestoreSource,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, KubernetesObject>> {
  const before = new Map<string, KubernetesObject>();
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal))
    before.set(`${object.metadata.namespace ?? ""}/${object.metadata.name}`, object);
  return before;
}
