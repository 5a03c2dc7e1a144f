import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { DrsError } from "../../errors.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { isTerminating, namespaces as namespaceType } from "../../objects/entities.ts";
import { noteAdded } from "./added-objects.ts";
import { isAnyApiDead, takeApisAway } from "./aggregated-apis.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { labelsAndAnnotations } from "../compare/labels-and-annotations.ts";
import { ObjectRestorer } from "./object-restorer.ts";
import { createUnderLaxerLevel, underLaxerLevel } from "./pod-security.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { sanitize } from "../../kinds/sanitize.ts";

/**
 * Makes the namespaces, or gives those that exist their labels and annotations back, under their laxer Pod Security level. One that is being deleted is waited
 * for; FAILED_PRECONDITION, with what holds it, when that takes too long.
 */
export async function restoreNamespaces(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  context: JobContext,
  source: RestoreSource,
): Promise<void> {
  const { signal, warn, info } = context;
  const restorer = new ObjectRestorer({ cluster, signal, warn, info, finalizerTimeout: limits.finalizerTimeout });
  for await (const { type, object } of objectsOf(source, partsOf(source, ["namespaces"]), signal)) {
    const { name } = object.metadata;
    await notTerminating({ cluster, limits }, context, source.targetNamespaces, name);
    const existing = await cluster.get(type, "", name, signal);
    if (existing && source.scope.liveReachOf(type, { name }) === "if missing") continue;
    if (existing) {
      const metadata = restoredMetadata(existing, underLaxerLevel(context, existing, object));
      await cluster.patch(type, "", name, { metadata }, signal);
    } else {
      noteAdded(context, source, type, name);
      await createUnderLaxerLevel(context, object, (relaxed) => restorer.restore(type, sanitize(type, relaxed)));
    }
    await restoreFieldOwners(cluster, type, object, signal);
    context.info(`namespace ${name} is there`);
  }
}

/** The merge patch that restores an existing namespace's metadata from the archived one. */
export function restoredMetadata(live: KubernetesObject, archived: KubernetesObject): object {
  const { finalizers: saved = [] } = sanitize(namespaceType, archived).metadata;
  return {
    ...labelsAndAnnotations(live, archived),
    // Of finalizers that have come since none goes: somebody waits for the deletion to do what he has to do then.
    ...(saved.length > 0 && { finalizers: [...new Set([...(live.metadata.finalizers ?? []), ...saved])] }),
  };
}

/** The namespace controller waits this long at most before it tries again to empty a namespace. */
export const retriedWithinMs = 60_000;

interface TerminatingNamespace {
  readonly metadata: { readonly finalizers?: readonly string[] };
  readonly status?: { readonly conditions?: readonly { type: string; status: string; message?: string }[] };
}

/**
 * Waits for a terminating namespace to go. An aggregated API that was served from one of the namespaces and holds it is taken
 * away, and noted. FAILED_PRECONDITION with what holds it when it does not go in time, which begins again when the namespace's
 * controller names an API for the first time, and is longer by a try of the controller's when none that it names is dead.
 */
export async function notTerminating(
  deps: Pick<JobDeps, "cluster" | "limits">,
  context: JobContext,
  namespaces: readonly string[],
  name: string,
): Promise<void> {
  const { cluster, limits } = deps;
  const { signal } = context;
  let last: TerminatingNamespace | undefined;
  const isGone = () => last === undefined;
  const options = { fieldSelector: `metadata.name=${name}` };
  const wait = (timeoutMs: number, isDone: () => boolean) => {
    last = undefined; // one that goes between two waits is in no list of the second
    return waitFor(
      cluster,
      { type: namespaceType, namespace: "", options, timeoutMs, signal },
      (namespace, gone) => {
        last = !gone && isTerminating(namespace) ? namespace : undefined;
      },
      isDone,
    );
  };
  const named = new Set<string>();
  let held = "";
  const began = Date.now();
  let since = began;
  let limit = since + limits.finalizerTimeout;
  while (
    await wait(Math.max(limit - Date.now(), 0), () => isGone() || apisIn(discoveryFailure(last)).join() !== held)
  ) {
    if (isGone()) return;
    const complaint = discoveryFailure(last);
    const apis = apisIn(complaint);
    held = apis.join();
    await takeApisAway(deps, context, namespaces, complaint);
    // An API that no longer holds it may have held it at the controller's latest try.
    const isHeld = await isAnyApiDead(deps, context, complaint);
    if (apis.some((api) => !named.has(api))) since = Date.now();
    for (const api of apis) named.add(api);
    limit = since + limits.finalizerTimeout + (isHeld ? 0 : retriedWithinMs);
    if (Date.now() >= limit) break;
  }
  if (last)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `namespace ${name} is still being deleted after ${Math.round((limit - began) / 100) / 10} s: ${whatHolds(last)}`,
      { id: "DRS-R037" },
    );
}

/** Why the kinds that a terminating namespace may hold could not be found out; empty when they could. */
function discoveryFailure(namespace: TerminatingNamespace | undefined): string {
  const { conditions = [] } = namespace?.status ?? {};
  const failure = conditions.find(({ type }) => type === "NamespaceDeletionDiscoveryFailure");
  return failure?.status === "True" ? (failure.message ?? "") : "";
}

/** The APIs that it names: its other words may change from try to try. */
function apisIn(complaint: string): readonly string[] {
  return [...new Set(complaint.match(/[\w.-]+\/v\w+/g))].sort();
}

/** The obstacles of a terminating namespace: its remaining content, as its status says, and its own finalizers. */
function whatHolds({ metadata: { finalizers = [] }, status }: TerminatingNamespace): string {
  const causes = (status?.conditions ?? [])
    .filter((condition) => condition.status === "True")
    .map(({ message = "" }) => message);
  if (finalizers.length > 0)
    causes.push(`its own finalizers ${finalizers.join(", ")}, to be removed by whatever set them`);
  return causes.length === 0 ? "its status does not say what holds it" : causes.join(" ");
}
