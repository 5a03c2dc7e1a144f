import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { putApisBack } from "../objects/aggregated-apis.ts";
import { restoreClusterScoped } from "../objects/cluster-scoped.ts";
import { OwnerLinks } from "../objects/owner-links.ts";
import { admissionPolicies } from "../../kinds/restore-order.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { restoreWebhooks } from "./webhooks.ts";
import { apiService } from "../../kinds/extensions/api-service.ts";

/**
 * Lets webhooks and aggregated APIs call into the control plane again. Whatever they could refuse has to be done before: this
 * is the last that a restore does to the cluster. May run again.
 */
export async function letCallsIn(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  const links = new OwnerLinks(context, source.notesPrefix);
  await restoreClusterScoped(deps, context, source, links, [apiService.name]);
  await putApisBack(deps, context);
  await restoreWebhooks(source, deps, context, links);
  await restoreClusterScoped(deps, context, source, links, admissionPolicies);
}
