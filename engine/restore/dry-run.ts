import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { hasStatus, isDenied } from "../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, resourceName } from "../kubernetes/kubernetes-object.ts";
import { afterStart, userSnapshots } from "./restore-order.ts";
import { objectsOf, type RestoreSource } from "./restore-source.ts";
import { sanitize } from "./sanitize.ts";
import type { Definitions } from "./saved-definitions.ts";
import { withoutAllocations } from "./sanitizers/service.ts";
import { inVersion, servedType } from "./served-types.ts";

/** So many refusals are named; the rest is counted. */
const namedRefusals = 10;

/** Made otherwise than by creating what was saved. */
const notTried = new Set([
  "namespaces",
  "persistentvolumes",
  "persistentvolumeclaims",
  ...afterStart,
  ...userSnapshots,
]);

/**
 * Asks the API server, without a change, what it would say to each object. What it finds invalid now it would refuse
 * later: FAILED_PRECONDITION names these. What depends on the moment (the namespace is not there yet, a quota is used up
 * by what will be replaced, its kind is going to be defined otherwise, a webhook is down or refuses) is not held against an object.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
 */
export async function dryRun(
  source: RestoreSource,
  discovery: Discovery,
  { coming }: Definitions,
  { cluster, limits }: JobParts,
  context: JobContext,
): Promise<void> {
  const { signal } = context;
  const refusals: string[] = [];
  let count = 0;
  const isTried = (name: string) => !notTried.has(name) && !coming.has(name);
  const parts = source.reader.parts.filter((part) => isTried(resourceName(part)));
  await forEachInFlight(
    objectsOf(source, parts, signal),
    limits.clusterConcurrency,
    async ({ type: saved, object: archived }) => {
      const type = servedType(discovery, saved);
      if (!type) return;
      const object = presented(type, inVersion(sanitize(type, archived), type.apiVersion));
      count++;
      try {
        await cluster.create(type, archived.metadata.namespace ?? "", object, signal, { dryRun: true });
      } catch (error) {
        if (!hasStatus(error, 400, 403, 404, 409, 422, 500)) throw error;
        const isInvalid = error.status === 422 || (error.status === 400 && !/dry.?run/i.test(error.detail));
        if (isInvalid && !isDenied(error)) refusals.push(error.message);
      }
    },
  );
  if (refusals.length > 0) {
    const more = refusals.length > namedRefusals ? ` and ${refusals.length - namedRefusals} more` : "";
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the API server would refuse objects of this backup: ${refusals.slice(0, namedRefusals).join("; ")}${more}`,
    );
  }
  context.info(`the API server would take all of ${count} objects`);
}

/** As the object will be made, but for what the existing one of the same name still has. */
function presented(type: { apiVersion: string; resource: string }, object: KubernetesObject): KubernetesObject {
  return resourceName(type) === "services" ? withoutAllocations(object) : object;
}
