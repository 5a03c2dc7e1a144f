import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { isBound } from "../../volumes/bound-claims.ts";
import { provisioningFailure } from "../../volumes/provisioning-failure.ts";
import { noteBound } from "../claims/fillers.ts";
import { whyNotBound } from "../claims/binding-unconsumed-claims.ts";
import type { PlannedFiller } from "./fill-plan.ts";

/** How long no filler gets its volume before the complaints of drivers are heard. */
const patienceMs = 30_000;

/**
 * After such an answer the driver is still at it, or away for a moment; any other one is final, says the provisioner:
 * https://github.com/kubernetes-csi/external-provisioner/blob/v6.4.0/pkg/controller/controller.go
 */
const passing = /\bcode = (Canceled|DeadlineExceeded|Unavailable|Aborted)\b/;

type Reasons = ReadonlyMap<PlannedFiller, string>;

/**
 * Waits until fillers are bound, however long that takes, as long as one after the other gets its volume within
 * `snapshotTimeout`. Returns those that get none, and why.
 */
export async function untilBound(
  deps: JobDeps,
  context: JobContext,
  fillers: readonly PlannedFiller[],
): Promise<Reasons> {
  const [late, soon] = [fillers.filter(({ nodes }) => nodes), fillers.filter(({ nodes }) => !nodes)];
  const [first, second] = await Promise.all([onNodes(deps, context, late), inTime(deps, context, soon)]);
  return new Map([...first, ...second]);
}

/** For classes that wait for a pod: a node is selected in its stead. */
async function onNodes(deps: JobDeps, context: JobContext, fillers: readonly PlannedFiller[]): Promise<Reasons> {
  const reasons = new Map<PlannedFiller, string>();
  await forEachInFlight(fillers, deps.limits.clusterConcurrency, async (one) => {
    const { place, name } = one.filler;
    const driver = String(one.storageClass["provisioner"]);
    const claim = { namespace: place, claim: name };
    const reason = await whyNotBound(deps, context, claim, driver, one.nodes ?? []);
    if (reason !== undefined) reasons.set(one, reason);
    else noteBound(context, one.filler);
  });
  return reasons;
}

async function inTime(deps: JobDeps, context: JobContext, fillers: readonly PlannedFiller[]): Promise<Reasons> {
  const { cluster, limits } = deps;
  const { job, signal, info } = context;
  const waiting = new Map(fillers.map((one) => [one.filler.name, one]));
  const seen = new Map<string, KubernetesObject>();
  const reasons = new Map<PlannedFiller, string>();
  const abandon = (name: string, one: PlannedFiller, reason: string) => {
    waiting.delete(name);
    reasons.set(one, reason);
  };
  const see = (claim: KubernetesObject, gone: boolean) => {
    const { name } = claim.metadata;
    const one = waiting.get(name);
    if (!one) return;
    seen.set(name, claim);
    if (gone) abandon(name, one, "someone deleted the claim that was being filled for it");
    else if (isBound(claim)) {
      waiting.delete(name);
      noteBound(context, one.filler);
    }
  };
  const options = { labelSelector: `${jobLabel}=${job.uuid}` };
  const namespace = fillers[0]?.filler.place ?? "";
  let limit = Date.now() + limits.snapshotTimeout;
  while (waiting.size > 0) {
    const left = waiting.size;
    const timeoutMs = Math.min(patienceMs, Math.max(limit - Date.now(), 0));
    const wait = { type: persistentVolumeClaims, namespace, options, timeoutMs, signal };
    if (await waitFor(cluster, wait, see, () => waiting.size < left)) {
      limit = Date.now() + limits.snapshotTimeout;
      continue;
    }
    const isOver = Date.now() >= limit;
    await forEachInFlight([...waiting], limits.clusterConcurrency, async ([name, one]) => {
      const claim = seen.get(name);
      const answer = claim && (await provisioningFailure(cluster, claim, signal));
      if (answer !== undefined && (isOver || !passing.test(answer))) abandon(name, one, answer);
      else if (isOver) abandon(name, one, `its driver has made no volume within ${limits.snapshotTimeout / 1000} s`);
    });
    if (waiting.size > 0) info(`${waiting.size} of ${fillers.length} volumes are still being filled`);
  }
  return reasons;
}
