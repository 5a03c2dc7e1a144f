import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { DiscoveredResource } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { type KubernetesObject, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { waitUntilGone } from "../../kubernetes/waiting.ts";
import { listed } from "../../objects/listed.ts";

/** Objects of one kind and namespace that have been deleted. */
export interface Deleted {
  readonly type: DiscoveredResource;
  readonly namespace: string;
  readonly uids: ReadonlySet<string>;
}

/** How long each wave of deletions is waited for; objects that remain then are held by somebody. */
const untilHeldMs = 2_000;

/**
 * Waits until deleted objects are gone: `untilHeld` for a moment only, to give those that somebody holds; else for as long as
 * finalizers may take, all at once, after which they are taken away with a warning. FAILED_PRECONDITION names what is there
 * even then.
 */
export async function waitForDeleted(
  deps: JobDeps,
  context: JobContext,
  deleted: readonly Deleted[],
  { untilHeld }: { readonly untilHeld: boolean },
): Promise<readonly Deleted[]> {
  const { limits } = deps;
  const timeoutMs = untilHeld ? Math.min(untilHeldMs, limits.finalizerTimeout) : limits.finalizerTimeout;
  const left: Deleted[] = [];
  const stuck: string[] = [];
  await forEachInFlight(deleted, limits.clusterConcurrency, async (one) => {
    const held = await stillThere(deps, context, one, timeoutMs);
    if (held.length === 0) return;
    if (untilHeld) {
      left.push({ ...one, uids: new Set(held.map(({ metadata }) => metadata.uid ?? "")) });
      const [{ metadata }] = held as [KubernetesObject];
      const example = `${metadata.name}, held by ${metadata.finalizers?.join(", ") ?? "nothing but its time to end"}`;
      context.info(
        `${held.length} deleted ${resourceName(one.type)} are still in ${one.namespace}, such as ${example}: waiting up to ${limits.finalizerTimeout / 1000} s`,
      );
      return;
    }
    await release(deps, context, one, held);
    const names = (await stillThere(deps, context, one, timeoutMs)).map(({ metadata }) => metadata.name);
    if (names.length > 0) stuck.push(`${resourceName(one.type)} of ${one.namespace}: ${listed(names)}`);
  });
  if (stuck.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `deleted objects are still there, though nothing holds them: ${stuck.join("; ")}; see the API server's log`,
      { id: "DRS-R058" },
    );
  return left;
}

function stillThere(
  { cluster }: JobDeps,
  { signal }: JobContext,
  { type, namespace, uids }: Deleted,
  timeoutMs: number,
): Promise<readonly KubernetesObject[]> {
  return waitUntilGone(cluster, { type, namespace, timeoutMs, signal }, ({ metadata }) => uids.has(metadata.uid ?? ""));
}

async function release(
  { cluster, limits }: JobDeps,
  { signal, warn }: JobContext,
  { type, namespace }: Deleted,
  held: readonly KubernetesObject[],
): Promise<void> {
  await forEachInFlight(held, limits.clusterConcurrency, async ({ metadata: { name, finalizers = [] } }) => {
    if (finalizers.length === 0) return;
    // Reported before, or a crash after the deletion would leave it unreported.
    warn(
      "DRS-R087",
      namespace,
      `${type.kind} ${name} was held by ${finalizers.join(", ")} for ${limits.finalizerTimeout / 1000} s after its deletion: the finalizers were removed`,
    );
    await cluster.patch(type, namespace, name, { metadata: { finalizers: null } }, signal);
  });
}
