import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { bindUnconsumedClaims } from "../claims/binding-unconsumed-claims.ts";
import { reportMissing } from "../objects/missing-objects.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { startApps } from "./starting-apps.ts";

/**
 * STARTING_APPS: starts the restored workloads, gives claims that no pod uses their volumes, and reports objects that have gone meanwhile.
 * Errors as for `startApps`. May run again.
 */
export async function startRestored(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  const { isAllSeen } = await startApps(source, deps, context);
  const bound = await bindUnconsumedClaims(source, deps, context);
  if (!isAllSeen || bound > 0) await reportMissing(source, deps, context);
}
