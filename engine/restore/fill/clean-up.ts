import { DrsError, idOf } from "../../errors.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { throwAll } from "../../kubernetes/attempts.ts";
import { KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import { refusalOf } from "../objects/object-restorer.ts";

/**
 * Does all of a clean-up, also the pieces after one that fails. A refusal is reported; a transient error, such as an
 * unavailable API server or a right that was taken away, is thrown when all have been tried, so that the clean-up runs again.
 */
export async function cleanUp(report: JobContext["error"], ...pieces: readonly (() => Promise<void>)[]): Promise<void> {
  const passing: unknown[] = [];
  for (const piece of pieces)
    try {
      await piece();
    } catch (error) {
      try {
        // Of several refusals in one error, `refusalOf` no longer sees that one is for want of rights.
        if (error instanceof DrsError && error.code === "PERMISSION_DENIED") throw error;
        report(idOf(error), "", refusalOf(error));
      } catch {
        passing.push(error);
      }
    }
  // The job tells errors of the database and of the lease by their class.
  for (const error of passing) if (!isOfCluster(error)) throw error;
  throwAll(passing.filter(isOfCluster));
}

function isOfCluster(error: unknown): error is DrsError {
  return error instanceof KubernetesError || (error instanceof DrsError && error.constructor === DrsError);
}
