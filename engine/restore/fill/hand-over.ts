import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import { attemptEach, throwAll } from "../../kubernetes/attempts.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { knowsNoDryRun, KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { waitUntilGone } from "../../kubernetes/waiting.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { isMadeName } from "../../volumes/snapshots/snapshot-objects.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { type FilledVolume, type Filler, filledByLabel, fillersOf, noteFiller } from "../claims/fillers.ts";

/** A saved claim, and the filler whose volume it gets. */
export interface HandOver {
  readonly filler: Filler & { readonly volume: FilledVolume };
  readonly archived: KubernetesObject;
  /** As it is created, but for its volume. */
  readonly claim: KubernetesObject;
}

/**
 * Gives the volumes of fillers to saved claims, which are made as they were saved and bind at once; the fillers go. Gives the
 * claims whose volume somebody has deleted meanwhile: their fillers are to be discarded. May run again.
 */
export async function handOver<One extends HandOver>(
  deps: JobDeps,
  context: JobContext,
  wanted: readonly One[],
): Promise<readonly One[]> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const lost: One[] = [];
  const kept: One[] = [];
  await forEachInFlight(wanted, limits.clusterConcurrency, async (one) => {
    const { filler } = one;
    const volume = await cluster.get(persistentVolumes, "", filler.volume.persistentVolume, signal);
    if (volume && volume.metadata.deletionTimestamp === undefined) {
      kept.push(one);
      await ofFiller(filler, () => cluster.delete(persistentVolumeClaims, filler.place, filler.name, signal));
    } else lost.push(one);
  });
  await fillersGone(deps, context, kept);
  await forEachInFlight(kept, limits.clusterConcurrency, async (one) => {
    const isGiven = await ofFiller(one.filler, () => giveVolume(deps, context, one));
    if (!isGiven) lost.push(one);
  });
  for (const { volume: _gone, ...filler } of lost.map((one) => one.filler)) noteFiller(context, filler);
  return lost;
}

async function fillersGone({ cluster, limits }: JobDeps, { job, signal }: JobContext, wanted: readonly HandOver[]) {
  const [first] = wanted;
  if (!first) return;
  const names = new Set(wanted.map(({ filler }) => filler.name));
  const options = { labelSelector: `${jobLabel}=${job.uuid}` };
  const timeoutMs = limits.podsStopTimeout;
  const wait = { type: persistentVolumeClaims, namespace: first.filler.place, options, timeoutMs, signal };
  const left = await waitUntilGone(cluster, wait, ({ metadata }) => names.has(metadata.name));
  if (left.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `claims of ${first.filler.place}, which hold volumes for this restore, are still there ${timeoutMs / 1000} s after their ` +
        `deletion: ${left.map(({ metadata }) => `${metadata.name} (held by ${metadata.finalizers?.join(", ") ?? "nothing"})`).join(", ")}`,
      { id: "DRS-R042" },
    );
}

/** By name, as the uid is yet to come: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reserving-a-persistentvolume */
function reservationFor({ namespace, claim: name }: Filler): object {
  const { apiVersion, kind } = persistentVolumeClaims;
  return { spec: { claimRef: { apiVersion, kind, namespace, name, uid: null, resourceVersion: null } } };
}

/**
 * Asks the API server, without a change, whether it lets a filler go and its volume be reserved: what it refuses now it would
 * refuse when the old claim is gone. FAILED_PRECONDITION names the volume.
 */
export async function tryHandOver(
  { cluster }: Pick<JobDeps, "cluster">,
  { signal }: JobContext,
  filler: HandOver["filler"],
): Promise<void> {
  const { dryRun } = cluster;
  const { place, name, volume } = filler;
  await ofFiller(filler, async () => {
    try {
      await dryRun.patch(persistentVolumes, "", volume.persistentVolume, reservationFor(filler), signal);
      await dryRun.delete(persistentVolumeClaims, place, name, signal);
    } catch (error) {
      if (!knowsNoDryRun(error)) throw error;
    }
  });
}

/** Names the claim a filler is for in a refusal. A transient error keeps its own words. */
async function ofFiller<T>({ namespace, claim, volume }: HandOver["filler"], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.code === "UNAVAILABLE") throw error;
    throw new DrsError(
      error.code,
      `volume ${volume.persistentVolume} cannot be handed over to claim ${namespace}/${claim}: ${error.message}; see to it that the cluster allows this, and restore again`,
      { id: "DRS-R091", cause: error },
    );
  }
}

/** False, and no claim is made, when the volume is gone. */
async function giveVolume(
  { cluster }: JobDeps,
  context: JobContext,
  { filler, archived, claim }: HandOver,
): Promise<boolean> {
  const { signal } = context;
  const { namespace, volume } = filler;
  noteFiller(context, { ...filler, isHandedOver: true });
  const reserved = await cluster.patch(persistentVolumes, "", volume.persistentVolume, reservationFor(filler), signal);
  if (reserved === undefined) return false;
  const spec = { ...(claim["spec"] as object), ...sourcesOf(archived), volumeName: volume.persistentVolume };
  await cluster.createOnce(persistentVolumeClaims, namespace, { ...claim, spec }, signal);
  await restoreFieldOwners(cluster, persistentVolumeClaims, archived, signal);
  return true;
}

/** The fields of a bound claim's spec about its volume's origin and choice; none of an earlier restore's. */
function sourcesOf(archived: KubernetesObject): object {
  const { selector, dataSource, dataSourceRef } = archived["spec"] as {
    readonly selector?: object;
    readonly dataSource?: { readonly name?: string };
    readonly dataSourceRef?: object;
  };
  const isOurs = isMadeName(dataSource?.name ?? "");
  return {
    ...(selector && { selector }),
    ...(!isOurs && dataSource && { dataSource }),
    ...(!isOurs && dataSourceRef && { dataSourceRef }),
  };
}

/**
 * Gives the volumes that were handed over the reclaim policy of their class. May run again. One that is refused keeps no other one,
 * and the error names it.
 */
export async function releaseHandedOver({ cluster, limits }: JobDeps, context: JobContext): Promise<void> {
  const handed = fillersOf(context).filter(
    ({ isHandedOver, isReleased }) => isHandedOver === true && isReleased !== true,
  );
  const refused = await attemptEach(handed, limits.clusterConcurrency, async (filler) => {
    const { volume } = filler;
    if (!volume) return;
    const metadata = { labels: { [filledByLabel]: null } };
    const patch = { metadata, spec: { persistentVolumeReclaimPolicy: volume.reclaimPolicy } };
    await cluster.patch(persistentVolumes, "", volume.persistentVolume, patch, context.signal);
    noteFiller(context, { ...filler, isReleased: true });
  });
  throwAll(
    [...refused].map(
      ([{ namespace, claim, volume }, { code, message }]) =>
        new DrsError(
          code,
          `volume ${volume?.persistentVolume} of claim ${namespace}/${claim} cannot be given the reclaim policy of its class and freed of the label ${filledByLabel}: ${message}; do both by hand`,
          { id: "DRS-R092" },
        ),
    ),
  );
}
