import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import { resourceName } from "../kubernetes/kubernetes-object.ts";
import { refusedNames } from "./namespaced-objects.ts";
import { userSnapshots } from "./restore-order.ts";
import type { RestoreSource } from "./restore-source.ts";
import { savedNames } from "./saved-names.ts";
import { servedType } from "./served-types.ts";

/** Those that had finished are not run again, and users' snapshots that have gone are told of by themselves. */
const notLookedFor = new Set(["pods", ...userSnapshots]);

/** The saved objects of namespaces that are not there, but for those of which a refusal is noted. */
export async function missingObjects(
  source: RestoreSource,
  { cluster }: JobParts,
  context: JobContext,
): Promise<readonly { readonly namespace: string; readonly what: string }[]> {
  const { signal } = context;
  const discovery = await cluster.discover(signal);
  const missing: { namespace: string; what: string }[] = [];
  for (const part of source.reader.parts) {
    const type = servedType(discovery, part);
    if (!part.namespaced || !type || notLookedFor.has(resourceName(part))) continue;
    const refused = refusedNames(context, source, part);
    for (const [namespace, saved] of await savedNames(source, part, signal)) {
      const left = new Set(saved);
      try {
        for await (const { metadata } of cluster.listMetadata(type, namespace, signal)) left.delete(metadata.name);
      } catch (error) {
        if (!hasStatus(error, 404)) throw error;
      }
      for (const name of left)
        if (!refused.has(`${namespace}/${name}`)) missing.push({ namespace, what: `${part.kind} ${name}` });
    }
  }
  return missing;
}
