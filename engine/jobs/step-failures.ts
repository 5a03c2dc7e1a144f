import { DrsError } from "../errors.ts";
import type { MessageCode } from "../message-codes.ts";
import type { JobRecord } from "../store/job-record.ts";

/** How often a clean-up may find an archive damaged: a disk may read wrong once, and a damaged archive stays so. */
export const maxDamages = 3;

/** In a clean-up, rights that were taken away may be given back, like a cluster that is away. */
export function mayPass({ code }: DrsError, { step }: JobRecord): boolean {
  return code === "UNAVAILABLE" || (step === "FAIL" && code === "PERMISSION_DENIED");
}

/** The text of an error for the API: our own texts only, as those of others may hold anything. */
export function messageText(error: unknown, job: JobRecord): string {
  if (error instanceof DrsError) return error.message;
  const name = error instanceof Error ? error.name : typeof error;
  return `internal error (${name}) in ${job.phase}: the service's own log says more`;
}

/** The code of what `messageText` says. */
export function messageCode(error: unknown): MessageCode | undefined {
  return error instanceof DrsError ? error.id : "DRS-J001";
}

/** The message of a step that has ended the process again and again. */
export function restartedTooOften({ phase, recoveries, step }: JobRecord): string {
  const what = step === "FAIL" ? `the clean-up after the failure in ${phase}` : phase;
  return `abandoned: the service died ${recoveries} times in a row during ${what}; the service's own log and its memory limit may say why`;
}
