import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import { type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { type NamespacedRestore, refusedKey, refusedNames } from "./namespaced-objects.ts";
import { nameOf } from "./object-names.ts";
import { quotas, userSnapshots } from "./restore-order.ts";
import type { RestoreSource } from "./restore-source.ts";
import { savedNames } from "./saved-names.ts";
import { servedType } from "./served-types.ts";

/** Those that had finished are not run again, and users' snapshots that have gone are told of by themselves. */
const notLookedFor = new Set(["pods", ...userSnapshots]);

export interface MissingObject {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
}

/** The saved objects of namespaces that are not there, but for those of which a refusal is noted. */
export async function missingObjects(
  source: RestoreSource,
  { cluster }: Pick<JobParts, "cluster">,
  context: JobContext,
): Promise<readonly MissingObject[]> {
  const { signal } = context;
  const discovery = await cluster.discover(signal);
  const missing: MissingObject[] = [];
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
      for (const name of left) if (!refused.has(`${namespace}/${name}`)) missing.push({ type: part, namespace, name });
    }
  }
  return missing;
}

/** Claims have phases of their own, quotas come last, and the cluster makes the rest. */
const notMadeAgain = new Set([
  "persistentvolumeclaims",
  ...quotas,
  "replicasets.apps",
  "controllerrevisions.apps",
  "endpoints",
  "endpointslices.discovery.k8s.io",
]);

/**
 * Notes what has gone since it was restored, or was left as saved, for `restoreRefused` to make it again: the garbage
 * collector takes what an owner had that was on its way out, before the object that is made in its place can own it.
 * https://kubernetes.io/docs/concepts/architecture/garbage-collection/
 */
export async function noteGone({ source, parts, context }: NamespacedRestore): Promise<void> {
  for (const { type, namespace, name } of await missingObjects(source, parts, context)) {
    if (notMadeAgain.has(resourceName(type))) continue;
    const what = nameOf(namespace, type, name);
    const { apiVersion, kind } = type;
    const key = refusedKey(source, type, { apiVersion, kind, metadata: { namespace, name } });
    context.notes.set(key, `${what}: it has gone`);
    context.info(`${what} has gone since it was there, and is made again`);
  }
}
