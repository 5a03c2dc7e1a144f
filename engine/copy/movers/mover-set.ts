import { DrsError } from "../../errors.ts";
import { networkPolicies, persistentVolumeClaims, secrets } from "../../kubernetes/built-in-kinds.ts";
import { nameFor } from "../../volumes/snapshots/snapshot-objects.ts";
import type { CopyWork } from "../../jobs/deps.ts";
import { keysName, keysSecret, moverPolicy, policyName } from "./mover-job.ts";
import { prepareScript, presence } from "./mover-scripts.ts";
import { parseRepository } from "../../repository.ts";
import { namespaceOfRepository } from "./service-of-repository.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { type MoverRemoval, type MoverRequest, removeMover, runMover, stopMovers } from "./run-mover.ts";

/*
 * The objects shared by the movers of one job: the Secret of the repository's passwords and the NetworkPolicy.
 */

/** Creates the objects that movers need. May run again. */
export async function layOut({ cluster, place, signal }: MoverRequest, { passwords }: CopyWork): Promise<void> {
  const { namespace } = place;
  const serviceNamespace = await namespaceOfRepository(cluster, place.copies.repository, signal);
  await cluster.createOnce(networkPolicies, namespace, moverPolicy(place, serviceNamespace), signal);
  await cluster.createOnce(secrets, namespace, keysSecret(place, passwords), signal);
}

/** Makes the repository if there is none, unless it has to be there, and proves that it opens. FAILED_PRECONDITION says why it does not. */
export async function openRepository(request: MoverRequest, timeoutMs: number, isRequired: boolean): Promise<void> {
  const failure = (await whyNotMounted(request)) ?? (await prepare(request, timeoutMs, isRequired));
  if (failure !== undefined)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the repository ${request.place.copies.repository} cannot be opened: ${failure}`,
      { id: "DRS-V003" },
    );
}

/** A pod that names a claim which is not there would wait for it. */
async function whyNotMounted({ cluster, place, signal }: MoverRequest): Promise<string | undefined> {
  const { volume } = parseRepository(place.copies.repository);
  if (volume === undefined || !("claim" in volume)) return undefined;
  const { namespace } = place;
  const claim = await cluster.get(persistentVolumeClaims, namespace, volume.claim, signal);
  return claim ? undefined : `there is no claim ${volume.claim} in namespace ${namespace}: create it`;
}

async function prepare(request: MoverRequest, timeoutMs: number, isRequired: boolean): Promise<string | undefined> {
  const name = repositoryMover(request);
  const { failure } = await runMover(request, { name, script: prepareScript, args: [presence(isRequired)] });
  await removeMover(request, name, timeoutMs);
  return failure;
}

/** Removes what movers had in common, and those of them that are still there. May run again. */
export async function clearUp(request: MoverRemoval, timeoutMs: number): Promise<void> {
  const { cluster, place, signal } = request;
  await stopMovers(request, timeoutMs, { [jobLabel]: place.uuid });
  await cluster.delete(secrets, place.namespace, keysName(place), signal);
  await cluster.delete(networkPolicies, place.namespace, policyName(place), signal);
}

function repositoryMover({ place: { uuid, namespace } }: MoverRemoval): string {
  return nameFor(uuid, namespace, "/repository");
}
