import { setTimeout as sleep } from "node:timers/promises";
import { DrsError } from "../../errors.ts";
import type { JobParts } from "../../jobs/parts.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { releaseData } from "../../volumes/saved-data.ts";
import { dataForFiller, type Filler, filledByLabel, fillersOf, forgetFiller } from "../claims/fillers.ts";
import { dataRequest } from "./imported-data.ts";
import { volumeOf } from "../../volumes/bound-claims.ts";

/**
 * Removes fillers with their volumes and the objects that they were filled from, unless a saved claim has the volume by now; what
 * was saved stays. To be called for those that are not needed, and for all when a restore has failed. May run again.
 * FAILED_PRECONDITION names the volumes that are not gone in time.
 */
export async function discardFillers(
  parts: JobParts,
  context: JobContext,
  which: (filler: Filler) => boolean = () => true,
): Promise<void> {
  const { limits } = parts;
  const fillers = fillersOf(context).filter(which);
  if (fillers.length === 0) return;
  const left: string[] = [];
  await forEachInFlight(fillers, limits.clusterConcurrency, async (filler) => {
    const volume = await deleteFiller(parts, context, filler);
    if (volume === undefined || (await isGone(parts, context, volume))) return;
    left.push(`${volume} for claim ${filler.namespace}/${filler.claim}`);
  });
  await releaseData(dataRequest(parts, context), fillers.map(dataForFiller));
  if (left.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `volumes that this restore has filled and does not need were not gone within ${limits.podsStopTimeout / 1000} s: ` +
        `${left.join(", ")}; delete them by hand`,
    );
  for (const filler of fillers) forgetFiller(context, filler);
}

/** Deletes a filler. Gives the name of its volume where that has to go with it. */
async function deleteFiller(
  { cluster }: JobParts,
  { job, signal }: JobContext,
  filler: Filler,
): Promise<string | undefined> {
  const { place, name } = filler;
  const found = await cluster.get(persistentVolumeClaims, place, name, signal);
  const claim = found?.metadata.labels?.[jobLabel] === job.uuid ? found : undefined;
  const persistentVolume = filler.volume?.persistentVolume ?? (claim && volumeOf(claim)) ?? "";
  const uid = filler.volume?.fillerUid ?? claim?.metadata.uid;
  const volume =
    persistentVolume === "" ? undefined : await cluster.get(persistentVolumes, "", persistentVolume, signal);
  const goes = volume !== undefined && uid !== undefined && !(await isTaken(cluster, filler, volume, signal));
  if (goes) {
    // The cluster deletes a volume whose claim, by its uid, is gone.
    const { apiVersion, kind } = persistentVolumeClaims;
    const claimRef = { apiVersion, kind, namespace: place, name, uid, resourceVersion: null };
    const metadata = { labels: { [filledByLabel]: null } };
    const patch = { metadata, spec: { claimRef, persistentVolumeReclaimPolicy: "Delete" } };
    await cluster.patch(persistentVolumes, "", persistentVolume, patch, signal);
  }
  if (claim) await cluster.delete(persistentVolumeClaims, place, name, signal);
  return goes ? persistentVolume : undefined;
}

/** Whether the claim that the filler was for has its volume, or is about to. */
async function isTaken(
  cluster: JobParts["cluster"],
  { namespace, claim: name }: Filler,
  volume: KubernetesObject,
  signal: AbortSignal,
): Promise<boolean> {
  const claim = await cluster.get(persistentVolumeClaims, namespace, name, signal);
  return claim !== undefined && volumeOf(claim) === volume.metadata.name;
}

const pauseMs = 200;

async function isGone({ cluster, limits }: JobParts, { signal }: JobContext, name: string): Promise<boolean> {
  const limit = Date.now() + limits.podsStopTimeout;
  for (;;) {
    if (!(await cluster.get(persistentVolumes, "", name, signal))) return true;
    if (Date.now() >= limit) return false;
    await sleep(pauseMs, undefined, { signal });
  }
}
