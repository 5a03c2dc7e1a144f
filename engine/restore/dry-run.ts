import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { hasStatus, isDenied } from "../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { fateOf } from "./cluster-scoped.ts";
import { listed } from "./listed.ts";
import { afterStart, userSnapshots } from "./restore-order.ts";
import { objectsOf, type RestoreSource } from "./restore-source.ts";
import { rightToGrant, type WaitingBinding, waitingBinding } from "./rights-granted.ts";
import { sanitize } from "./sanitize.ts";
import type { Definitions } from "./saved-definitions.ts";
import { withoutAllocations } from "./sanitizers/service.ts";
import { inVersion, servedType } from "./served-types.ts";

/** Made otherwise than by creating what was saved; or, the first two, valid whatever they hold, and many. */
const notTried = new Set([
  "configmaps",
  "secrets",
  "namespaces",
  "persistentvolumes",
  "persistentvolumeclaims",
  ...afterStart,
  ...userSnapshots,
]);

/**
 * Asks the API server, without a change, what it would say to each object. What it finds invalid now it would refuse
 * later: FAILED_PRECONDITION names these; PERMISSION_DENIED names the rights without which it would refuse roles that grant
 * more than the service's account has. What depends on the moment (the namespace is not there yet, a quota is used up
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
  const lacking = new Map<string, string[]>();
  const lacks = (right: string, name: string) => lacking.set(right, [...(lacking.get(right) ?? []), name]);
  const waiting: WaitingBinding[] = [];
  const namespaces = new Set(source.namespaces);
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
        const right = rightToGrant(error, type, object);
        if (right !== undefined && (await isWritten(cluster, namespaces, type, object, signal)))
          lacks(right, `${type.kind} ${object.metadata.name}`);
        const binding = waitingBinding(error, type, object);
        if (binding) waiting.push(binding);
        const isInvalid = error.status === 422 || (error.status === 400 && !/dry.?run/i.test(error.detail));
        if (isInvalid && !isDenied(error)) refusals.push(error.message);
      }
    },
  );
  // An account that may make any role is not told when one grants more than it has: it may not bind it then.
  for (const { bind, escalate, mayEscalate, name, role } of waiting)
    if (lacking.get(escalate)?.includes(role) || (await cluster.isAllowed(mayEscalate, signal))) lacks(bind, name);
  if (lacking.size > 0)
    throw new DrsError(
      "PERMISSION_DENIED",
      "the service's account lacks rights that a restore needs, as it makes roles that grant more than the account has: " +
        [...lacking].map(([right, names]) => `${right} (for ${listed(names)})`).join("; "),
    );
  if (refusals.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the API server would refuse objects of this backup: ${listed(refusals, "; ")}`,
    );
  context.info(`the API server would take all of ${count} objects`);
}

/** Whether a restore would write an object: one that is cluster-scoped may be the same already, or be left alone. */
async function isWritten(
  cluster: JobParts["cluster"],
  namespaces: ReadonlySet<string>,
  type: ResourceType,
  wanted: KubernetesObject,
  signal: AbortSignal,
): Promise<boolean> {
  if (type.namespaced) return true;
  const existing = await cluster.get(type, "", wanted.metadata.name, signal);
  const fate = await fateOf(cluster, namespaces, type, wanted, existing, signal);
  return fate === "made" || fate === "put back";
}

/** As the object will be made, but for what the existing one of the same name still has. */
function presented(type: { apiVersion: string; resource: string }, object: KubernetesObject): KubernetesObject {
  return resourceName(type) === "services" ? withoutAllocations(object) : object;
}
