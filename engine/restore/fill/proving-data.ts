import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { checkData, dataFor } from "../../volumes/saved-data.ts";
import type { ClaimData } from "../../volumes/volume-data.ts";
import type { SavedData } from "../../archive/format.ts";
import type { FillPlan, LaterClaim } from "./fill-plan.ts";
import { listed } from "../../objects/listed.ts";
import { dataForFiller } from "../claims/fillers.ts";
import { dataRequest, noteImported } from "./imported-data.ts";

/** Proves that the data of every volume is there, for the claims that it will be filled into. DATA_LOSS names those where it is not. */
export async function proveData(
  { fillers, later, staying }: FillPlan,
  deps: JobDeps,
  context: JobContext,
): Promise<void> {
  notFromCopies(later);
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
function notFromCopies(later: readonly LaterClaim[]): void {
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
