import { DrsError } from "../errors.ts";
import type { Caller } from "../model.ts";
import { conclude } from "../store/conclusion.ts";
import type { JobRecord } from "../store/job-record.ts";
import { type JobContextDeps, logJob, recordMessage } from "./job-context.ts";

/** Somebody did not want the job any more. */
export class CancelledError extends DrsError {
  override readonly name = "CancelledError";

  constructor(kind: string, by: string, when = "") {
    super("FAILED_PRECONDITION", `the ${kind} was cancelled${by === "" ? "" : ` by ${by}`}${when}`, { id: "DRS-J003" });
  }
}

/**
 * Cancels a job that waits or runs a phase; part of the transaction that has found it so. One that waits is FAILED at once.
 * For one that runs it is noted: its run stops at the next safe point, and its clean-up begins, also after a crash.
 */
export function cancel(deps: JobContextDeps, job: JobRecord, { name: by }: Caller): void {
  const { store, clock } = deps;
  if (job.state === "IN_PROGRESS") {
    if (!store.queue.cancel(job.seq, by, clock())) return;
    logJob(deps, job, "info", `${new CancelledError(job.kind, by).message}: it stops at the next safe point`);
    return;
  }
  const { id, message } = new CancelledError(job.kind, by, " before it had started");
  recordMessage(deps, job, { level: "error", namespace: "", text: message, code: id });
  store.queue.cancelWaiting(job, by, clock());
  logJob(deps, { ...job, phase: "FINISHED" }, "info", "job ended FAILED");
  conclude(store, { ...job, state: "FAILED", updatedAt: clock() }, "FAILED");
}

/** The reason to stop a job's phases, if somebody has cancelled it; its clean-up runs to completion all the same. */
export function cancellationOf({ store }: JobContextDeps, { seq, kind, step }: JobRecord): CancelledError | undefined {
  const by = step === "PHASE" ? store.queue.cancelledBy(seq) : undefined;
  return by === undefined ? undefined : new CancelledError(kind, by);
}
