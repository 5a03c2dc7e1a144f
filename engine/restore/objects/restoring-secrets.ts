import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { restoreObjects } from "./namespaced-objects.ts";
import type { OwnerLinks } from "./owner-links.ts";
import { partsOf, type RestoreSource, volumesOf } from "../source/restore-source.ts";

/**
 * Restores the Secrets before the claims where there are claims to fill: a driver may need one to make a volume, and which
 * ones is for storage classes and drivers to say. Accounts come first, as the cluster deletes a token without one. May run again.
 */
export async function restoreSecrets(
  source: RestoreSource,
  deps: JobDeps,
  context: JobContext,
  links: OwnerLinks,
): Promise<void> {
  if (volumesOf(source).length === 0) return;
  const discovery = await deps.cluster.discover(context.signal);
  const restore = { deps, context, source, discovery, links };
  for (const kind of ["serviceaccounts", "secrets"]) await restoreObjects(restore, partsOf(source, [kind]));
}
