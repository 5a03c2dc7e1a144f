import { setTimeout as sleep } from "node:timers/promises";
import { stopLoading } from "../../copy/load-copies.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import { attemptEach, failureOf, throwAll } from "../../kubernetes/attempts.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { releaseData } from "../../volumes/saved-data.ts";
import { dataForFiller, type Filler, filledByLabel, fillersOf, forgetFiller } from "../claims/fillers.ts";
import { dataRequest } from "./imported-data.ts";
import { volumeOf } from "../../volumes/bound-claims.ts";

/**
 * Removes fillers with their volumes and the objects that they were filled from, unless a saved claim has the volume by now; what
 * was saved stays. To be called for those that are not needed, and for all when a restore has failed. May run again. One that does
 * not go keeps no other one; the error names each, with what its claim and its volume are called.
 */
export async function discardFillers(
  deps: JobDeps,
  context: JobContext,
  which: (filler: Filler) => boolean = () => true,
): Promise<void> {
  const { limits } = deps;
  const fillers = fillersOf(context).filter(which);
  if (fillers.length === 0) return;
  const fromCopies = fillers
    .map(dataForFiller)
    .flatMap(({ data, ...one }) => (data.kind === "copy" ? [{ ...one, data }] : []));
  const loading = await failureOf(() => stopLoading(deps, context, fromCopies));
  const left = await attemptEach(fillers, limits.clusterConcurrency, async (filler) => {
    for (const one of await deleteFiller(deps, context, filler)) await gone(deps, context, one);
  });
  const unreleased = await failureOf(() => releaseData(dataRequest(deps, context), fillers.map(dataForFiller)));
  if (unreleased.length === 0) for (const filler of fillers) if (!left.has(filler)) forgetFiller(context, filler);
  throwAll([...[...left].map(([filler, error]) => named(filler, error)), ...loading, ...unreleased]);
}

/**
 * Abandons fillers as far as the cluster allows, without a wait: nobody's claim gets one of their volumes any more.
 * `discardFillers` reports the rest.
 */
export async function giveFillersUp(deps: JobDeps, context: JobContext): Promise<void> {
  const inFlight = deps.limits.clusterConcurrency;
  await attemptEach(fillersOf(context), inFlight, async (filler) => void (await deleteFiller(deps, context, filler)));
}

function named({ namespace, claim, place, name, volume }: Filler, { code, message }: DrsError): DrsError {
  const what = volume === undefined ? `claim ${place}/${name}` : `volume ${volume.persistentVolume}`;
  return new DrsError(
    code,
    `${what}, which this restore filled for claim ${namespace}/${claim} and does not need, could not be removed: ${message}; delete it by hand`,
    { id: "DRS-R043" },
  );
}

type Deleted = {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
};

/** Deletes a filler. Returns what goes: its claim, and its volume where that has to go with it. */
async function deleteFiller(
  { cluster }: JobDeps,
  { job, signal }: JobContext,
  filler: Filler,
): Promise<readonly Deleted[]> {
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
  const ofVolume = { type: persistentVolumes, namespace: "", name: persistentVolume };
  const ofClaim = claim && { type: persistentVolumeClaims, namespace: place, name, uid: claim.metadata.uid };
  return [...(ofClaim ? [ofClaim] : []), ...(goes ? [ofVolume] : [])];
}

/** Whether the claim that the filler was for has its volume, or is about to. */
async function isTaken(
  cluster: JobDeps["cluster"],
  { namespace, claim: name }: Filler,
  volume: KubernetesObject,
  signal: AbortSignal,
): Promise<boolean> {
  const claim = await cluster.get(persistentVolumeClaims, namespace, name, signal);
  return claim !== undefined && volumeOf(claim) === volume.metadata.name;
}

const pauseMs = 200;

/** FAILED_PRECONDITION when it is not gone in time. */
async function gone({ cluster, limits }: JobDeps, { signal }: JobContext, one: Deleted): Promise<void> {
  const { type, namespace, name, uid } = one;
  const limit = Date.now() + limits.podsStopTimeout;
  for (;;) {
    const found = await cluster.get(type, namespace, name, signal);
    if (!found || (uid !== undefined && found.metadata.uid !== uid)) return;
    if (Date.now() >= limit)
      throw new DrsError(
        "FAILED_PRECONDITION",
        `${type.kind} ${name} is still there ${limits.podsStopTimeout / 1000} s after its deletion`,
        { id: "DRS-R043" },
      );
    await sleep(pauseMs, undefined, { signal });
  }
}
