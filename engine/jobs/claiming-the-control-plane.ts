import { DrsError } from "../errors.ts";
import type { JobRecord } from "../store/job-record.ts";
import type { ControlPlaneLease } from "./control-plane-lease.ts";
import type { JobContext } from "./phase.ts";

/** Which time of holding the lease the job works in. */
const termNote = "control-plane/term";

/** Another service has worked on the control plane since the job began: what the job knows is not so any more. */
export class TakenOverError extends DrsError {
  override readonly name = "TakenOverError";
}

/** Whether a step has to have the control plane before it begins: PRE_VALIDATION asks itself, and may fail without. */
export function needsControlPlane({ step, phase }: JobRecord, { notes }: JobContext): boolean {
  if (notes.get(termNote) !== undefined || step === "FINISH") return true;
  return step === "PHASE" && phase !== "PRE_VALIDATION";
}

/**
 * Waits until this service has the control plane to itself, and logs who has it meanwhile. True when it
 * has waited. TakenOverError when another service has had it since the job began, unless the job goes on all the same.
 */
export async function claimControlPlane(
  lease: ControlPlaneLease,
  { notes, signal, info }: JobContext,
  { goesOn }: { readonly goesOn: boolean },
): Promise<boolean> {
  const noted = notes.get<string>(termNote);
  let other = noted === undefined ? undefined : lease.lostTo(noted);
  if (other !== undefined && !goesOn) throw takenOver(other);
  const { term, hasWaited } = await lease.hold(signal, (holder) => {
    other = holder;
    info(`waiting for ${holder}, another service that is working on this control plane`, "DRS-J006");
  });
  if (hasWaited) info("holds the control plane now");
  if (noted !== undefined && noted !== term && !goesOn) throw takenOver(other ?? "another service");
  if (noted !== term) notes.set(termNote, term);
  return hasWaited;
}

function takenOver(other: string): TakenOverError {
  return new TakenOverError(
    "FAILED_PRECONDITION",
    `${other} has worked on the control plane while this service was paused or cut off from it`,
    { id: "DRS-J007" },
  );
}
