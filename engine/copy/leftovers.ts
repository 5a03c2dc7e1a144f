import { DrsError } from "../errors.ts";
import type { JobContext } from "../jobs/phase.ts";
import { fillNamespaceOf } from "../volumes/fill-namespace.ts";
import type { CopyDeps } from "./copy-deps.ts";
import { clearAll, type Clearing } from "./copy-volume.ts";
import { clearUp } from "./mover-set.ts";

/** Removes all that a copy has made in the cluster: movers, clones, and what movers had in common. May run again. */
export async function removeLeftovers(deps: CopyDeps, context: JobContext): Promise<void> {
  const { job, signal } = context;
  const { cluster, limits } = deps;
  const namespace = await fillNamespaceOf(deps, signal);
  if (namespace === undefined) return; // nothing could be made
  const place = { namespace, uuid: job.uuid };
  const request = { cluster, place, signal };
  try {
    await removeAll({ request, limits, context });
  } catch (error) {
    if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
    context.warn(
      "DRS-V007",
      "",
      `what a copy has made in ${namespace} was not all removed, and nothing needs it: ${error.message}`,
    );
  }
}

/** The same, with the error. FAILED_PRECONDITION names what is left. */
export async function removeAll(run: Clearing): Promise<void> {
  await clearAll(run);
  await clearUp(run.request, run.limits.podsStopTimeout);
}
