import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { checkCopies } from "../../copy/check-copies.ts";
import { checkData, dataFor } from "../../volumes/saved-data.ts";
import type { ClaimData } from "../../volumes/volume-data.ts";
import type { SavedData } from "../../archive/format.ts";
import type { FillPlan, LaterClaim } from "./fill-plan.ts";
import { listed } from "../../objects/listed.ts";
import { dataForFiller, fillersOf } from "../claims/fillers.ts";
import { dataRequest, noteImported } from "./imported-data.ts";
import { whereNoRoomIs } from "./room.ts";

/** Proves that the data of every volume is there, for the claims that it will be filled into. DATA_LOSS names those where it is not. */
export async function proveData(
  { fillers, later, staying }: FillPlan,
  deps: JobDeps,
  context: JobContext,
): Promise<void> {
  notFromCopies(later);
  await proveCopies(fillers, deps, context);
  const claims = [
    ...fillers.map(({ volume, filler }) => ({ into: dataForFiller(filler), of: dataFor(volume) })),
    ...[...later.map(({ volume }) => volume), ...staying].map((volume) => ({
      into: dataFor(volume),
      of: dataFor(volume),
    })),
  ];
  if (claims.length === 0) return;
  await prove(claims, deps, context);
  const snapshots = claims.filter(({ of }) => of.data.kind === "snapshot");
  context.info(`the storage has all ${snapshots.length} snapshots`);
}

/** Proves it of copies, and that there is room for them. FAILED_PRECONDITION names the claims and what is wrong. */
async function proveCopies(fillers: FillPlan["fillers"], deps: JobDeps, context: JobContext): Promise<void> {
  const planned = fillers.filter(({ volume }) => volume.copy !== undefined);
  const made = new Set(fillersOf(context).flatMap(({ isBound, name }) => (isBound === true ? [name] : []))); // by an earlier run
  const toMake = planned.filter(({ filler }) => !made.has(filler.name));
  const full = await whereNoRoomIs(toMake, deps, context);
  const copies = planned.flatMap(({ volume, filler }) => {
    const { data, ...into } = dataForFiller(filler);
    return data.kind === "copy" ? [{ ...into, data, volume }] : [];
  });
  const damaged = [...(await checkCopies(deps, context, copies))].map(([{ volume }, reason]) => ({ volume, reason }));
  notFromCopies([...full, ...damaged]);
}

/** Says which claims are filled when the applications have stopped, and why; proves the data of those that were planned otherwise. */
export async function reportFilledLater(
  later: readonly LaterClaim[],
  plan: FillPlan,
  deps: JobDeps,
  context: JobContext,
): Promise<void> {
  notFromCopies(later);
  const unproven = later.filter(({ volume }) => !plan.later.some((planned) => planned.volume === volume));
  await prove(
    unproven.map(({ volume }) => ({ into: dataFor(volume), of: dataFor(volume) })),
    deps,
    context,
  );
  const byReason = Map.groupBy(later, ({ reason }) => reason);
  for (const [reason, claims] of byReason) {
    const names = claims.map(({ volume }) => `${volume.namespace}/${volume.claim}`);
    context.info(`filled only after the applications stop, because ${reason}: claims ${listed(names)}`, "DRS-R065");
  }
}

/** A claim that is made when the applications have stopped is there at once, and a copy takes its time. */
export function notFromCopies(later: readonly LaterClaim[]): void {
  const claims = later.filter(({ volume }) => volume.copy !== undefined);
  if (claims.length === 0) return;
  const reasons = claims.map(({ volume: { namespace, claim }, reason }) => `${namespace}/${claim}: ${reason}`);
  throw new DrsError(
    "FAILED_PRECONDITION",
    `claims cannot be filled from their copies, which is done while the applications run: ${reasons.join("; ")}`,
    { id: "DRS-V010" },
  );
}

interface Proof {
  readonly into: ClaimData<SavedData>;
  readonly of: ClaimData<SavedData>;
}

async function prove(claims: readonly Proof[], deps: JobDeps, context: JobContext): Promise<void> {
  const into = claims.map((one) => one.into);
  noteImported(context, into);
  const faults = await checkData(dataRequest(deps, context), into);
  const found = claims.flatMap(({ into, of }) => {
    const fault = faults.get(`${into.namespace}/${into.claim}`);
    return fault === undefined ? [] : [`${of.namespace}/${of.claim}: ${fault}`];
  });
  if (found.length > 0)
    throw new DrsError("DATA_LOSS", `snapshots of this backup cannot be used: ${found.join("; ")}`, { id: "DRS-R016" });
}
