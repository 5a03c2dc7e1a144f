import { Checkpoint } from "../../jobs/checkpoint.ts";
import type { JobContext } from "../../jobs/phase.ts";

/** What PRE_VALIDATION has saved for the rollback. */
export const savedForSafety = new Checkpoint<{
  /** Groups and versions of the API that did not answer meanwhile: what they serve is not in the safety archive. */
  readonly unavailable: readonly string[];
}>("PRE_VALIDATION");

/** How far a restore has come, as to what has to be undone when it fails; in order. */
const stages = ["untouched", "touched", "stored", "deleting", "restored"] as const;

/**
 * `untouched` when PRE_VALIDATION has ended; `touched` before the first thing in the namespaces is changed; `stored` when
 * custom resources are in their storage version, and what converts them may be stopped; `deleting` before the first object
 * is deleted: until then there is nothing to clear away before all is put back; `restored` when all is: then the
 * replaced volumes and objects go, and nothing is undone any more.
 */
export type Stage = (typeof stages)[number];

const reached = new Checkpoint<{ readonly stage: Stage }>("PRE_VALIDATION", "stage");

/** Notes that PRE_VALIDATION has ended. */
export function begin(context: Pick<JobContext, "notes">): void {
  reached.write(context, { stage: "untouched" });
}

/** Notes a stage before what it stands for is done. One that was reached stays so. MissingCheckpointError as `hasReached`. */
export function reach(context: WithPhase, stage: Stage): void {
  if (!hasReached(context, stage)) reached.write(context, { stage });
}

/**
 * Whether a restore has come so far. Only in PRE_VALIDATION it may have noted nothing; after that, to take it for untouched
 * would be to throw away the former control plane: MissingCheckpointError.
 */
export function hasReached(context: WithPhase, stage: Stage): boolean {
  const isFirst = context.phase === "PRE_VALIDATION";
  const at = isFirst ? (reached.find(context)?.stage ?? "untouched") : reached.read(context).stage;
  return stages.indexOf(at) >= stages.indexOf(stage);
}

type WithPhase = Pick<JobContext, "notes" | "phase">;

/** All objects that the restore has created are gone. Those that are there later have been put back, and stay. */
export const cleared = new Checkpoint<{ readonly isCleared: true }>("GOING_BACK", "cleared");

/** All but webhooks has been put back. */
export const putBack = new Checkpoint<PutBack>("GOING_BACK", "put back");

export interface PutBack {
  /** The obstacles between some claims and their former volumes; empty when there are none. */
  readonly ofClaims: string;
  /** The reports of the applications that did not come up. */
  readonly late: readonly string[];
}

/** All that was filled and imported is removed, or named, and the control plane's webhooks may be back. */
export const cleanedUp = new Checkpoint<{ readonly isCleanedUp: true }>("GOING_BACK", "cleaned up");

/** Nothing more is tried. If all was put back, the safety archive may be gone from then on. */
export const rolledBack = new Checkpoint<{ readonly isAsBefore: boolean }>("GOING_BACK");
