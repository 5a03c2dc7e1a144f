import { isDeepStrictEqual } from "node:util";
import { loadCopies } from "../../copy/load-copies.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { isBound, volumeOf } from "../../volumes/bound-claims.ts";
import { fillClaims, releaseData } from "../../volumes/saved-data.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import { discardFillers } from "./discard-fillers.ts";
import type { FillPlan, LaterClaim, PlannedFiller } from "./fill-plan.ts";
import { dataForFiller, expectFiller, type Filler, filledByLabel, filledFor, noteFiller } from "../claims/fillers.ts";
import { dataRequest } from "./imported-data.ts";
import { notFromCopies } from "./proving-data.ts";
import { tryHandOver } from "./hand-over.ts";
import { untilBound } from "./until-bound.ts";

/**
 * Creates and fills volumes while the applications run, as planned: their data has been checked (`checkData`). Each full one
 * is set to Retain until it is handed over. Returns the claims that get theirs later: those of the plan, and those whose
 * filler was refused, or got no volume as long as no other one did either; of these nothing stays. May run again.
 */
export async function fillFirst(
  { fillers, later }: FillPlan,
  deps: JobDeps,
  context: JobContext,
): Promise<readonly LaterClaim[]> {
  const planned = new Map(fillers.map(({ filler }) => [pathOf(filler), filler]));
  // Of an earlier run: one that is not full, and was to be filled from elsewhere, may be empty or have a part of that.
  await discardFillers(deps, context, (made) => {
    const filler = planned.get(pathOf(made));
    return filler === undefined || (made.volume === undefined && !isDeepStrictEqual(made.data, filler.data));
  });
  if (fillers.length === 0) return later;
  const inFlight = deps.limits.clusterConcurrency;
  const refused = new Map<PlannedFiller, string>();
  const made: PlannedFiller[] = [];
  await forEachInFlight(fillers, inFlight, async (one) => {
    if (await isFull(deps, context, one)) return;
    const reason = await whyNotMade(deps, context, one);
    if (reason === undefined) made.push(one);
    else refused.set(one, reason);
  });
  for (const [one, reason] of await untilBound(deps, context, made)) refused.set(one, reason);
  // Without one of them there is no restore: no data is brought for the others.
  notFromCopies([...refused].map(([{ volume }, reason]) => ({ volume, reason })));
  await load(
    deps,
    context,
    made.filter((one) => !refused.has(one)),
    refused,
  );
  const full = fillers.filter((one) => !refused.has(one));
  await forEachInFlight(full, inFlight, async (one) => {
    await keep(deps, context, one);
    const filler = filledFor(context, one.filler.namespace, one.filler.claim);
    if (filler) await tryHandOver(deps, context, filler);
  });
  const needed = new Set(full.map(({ filler }) => filler.name));
  await discardFillers(deps, context, ({ name }) => !needed.has(name));
  try {
    await releaseData(
      dataRequest(deps, context),
      full.map(({ filler }) => dataForFiller(filledFor(context, filler.namespace, filler.claim) ?? filler)),
    );
  } catch (error) {
    context.info(`${refusalOf(error)}; tried again at the end`);
  }
  if (full.length > 0) context.info(`filled ${full.length} volumes while the applications run`);
  return [...later, ...[...refused].map(([{ volume }, reason]) => ({ volume, reason }))];
}

function pathOf({ place, name }: Filler): string {
  return `${place}/${name}`;
}

/** Brings the data of those that are filled from copies, which are empty until then. */
async function load(
  deps: JobDeps,
  context: JobContext,
  bound: readonly PlannedFiller[],
  refused: Map<PlannedFiller, string>,
): Promise<void> {
  const empty = bound.flatMap((one) => {
    const { namespace, claim, data } = dataForFiller(one.filler);
    return data.kind === "copy" ? [{ namespace, claim, data, one }] : [];
  });
  for (const [{ one }, reason] of await loadCopies(deps, context, empty)) refused.set(one, reason);
}

/** Whether an earlier run has filled it. */
async function isFull({ cluster }: JobDeps, context: JobContext, { filler }: PlannedFiller): Promise<boolean> {
  const { volume } = filledFor(context, filler.namespace, filler.claim) ?? {};
  if (!volume) return false;
  const found = await cluster.get(persistentVolumes, "", volume.persistentVolume, context.signal);
  return found !== undefined && found.metadata.deletionTimestamp === undefined;
}

/** Makes a filler; returns what keeps the cluster from it. */
async function whyNotMade(
  deps: JobDeps,
  context: JobContext,
  { filler, filling }: PlannedFiller,
): Promise<string | undefined> {
  expectFiller(context, filler);
  try {
    await fillClaims(dataRequest(deps, context), [filling], async () => {});
    return undefined;
  } catch (error) {
    return refusalOf(error);
  }
}

/** Notes a filler's volume and sets it to Retain. */
async function keep({ cluster }: JobDeps, context: JobContext, { filler, storageClass }: PlannedFiller): Promise<void> {
  const { job, signal } = context;
  if (filledFor(context, filler.namespace, filler.claim)) return;
  const claim = await cluster.get(persistentVolumeClaims, filler.place, filler.name, signal);
  const { uid } = claim?.metadata ?? {};
  if (claim === undefined || uid === undefined || !isBound(claim))
    throw new DrsError("UNAVAILABLE", `claim ${filler.place}/${filler.name} has lost its volume`, { id: "DRS-R044" });
  const persistentVolume = volumeOf(claim);
  const reclaimPolicy = (storageClass["reclaimPolicy"] as string | undefined) ?? "Delete";
  const spec = { persistentVolumeReclaimPolicy: "Retain" };
  const stays = { metadata: { labels: { [filledByLabel]: job.uuid } }, spec };
  await cluster.patch(persistentVolumes, "", persistentVolume, stays, signal);
  noteFiller(context, { ...filler, volume: { persistentVolume, fillerUid: uid, reclaimPolicy } });
}
