import type { SavedData, SavedVolume } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { copiedData } from "./copied-data.ts";
import { csiSnapshots } from "./snapshots/csi-snapshots.ts";
import { classOfDriver } from "./storage-classes.ts";
import type { ClaimData, DataRequest, Faults, Filling, FillingData } from "./volume-data.ts";

/*
 * Operations of restores and deletions on a backup's volume data, whatever its kind. The contracts are those of
 * `VolumeData`.
 */

const kinds: { readonly [Kind in SavedData["kind"]]: FillingData<Extract<SavedData, { kind: Kind }>> } = {
  snapshot: csiSnapshots,
  copy: copiedData,
};

/** The data source of a claim. */
export function dataFor({ namespace, claim, copy, data: [snapshot] }: SavedVolume): ClaimData<SavedData> {
  const first = copy ?? snapshot;
  if (first === undefined) throw new DrsError("INTERNAL", `the data of claim ${namespace}/${claim} is nowhere`);
  return { namespace, claim, data: first };
}

/** All the data of a volume, wherever it is. */
function allDataOf({ namespace, claim, data }: SavedVolume): readonly ClaimData<SavedData>[] {
  return data.map((one) => ({ namespace, claim, data: one }));
}

/** The driver that has to make the volume's successor; undefined when any may. */
export function driverFor(volume: SavedVolume): string | undefined {
  const { data } = dataFor(volume);
  return data.kind === "copy" ? undefined : kinds[data.kind].driverFor(data);
}

/** The storage class in which a claim can be made and filled; undefined when there is none. */
export function classFor(volume: SavedVolume, classes: readonly KubernetesObject[]): KubernetesObject | undefined {
  return classOfDriver({ storageClass: volume.storageClass, driver: driverFor(volume) }, classes);
}

export async function checkData(request: DataRequest, claims: readonly ClaimData<SavedData>[]): Promise<Faults> {
  return faultsOf(claims, (kind, here) => kind.check(request, here));
}

export async function fillClaims<One extends Filling<SavedData>>(
  request: DataRequest,
  claims: readonly One[],
  made: (one: One) => Promise<void>,
): Promise<void> {
  await forEachKind(claims, (kind, here) => kind.fill(request, here, made));
}

/** Whether a claim is there, and was made to be filled with saved data. */
export function isFilledBy(uuid: string, claim: KubernetesObject | undefined): boolean {
  return claim !== undefined && Object.values(kinds).some((kind) => kind.isFilled(uuid, claim));
}

export async function releaseData(request: DataRequest, claims: readonly ClaimData<SavedData>[]): Promise<void> {
  await forEachKind(claims, (kind, here) => kind.release(request, here));
}

export async function discardData(request: DataRequest, volumes: readonly SavedVolume[]): Promise<Faults> {
  return faultsOf(volumes.flatMap(allDataOf), (kind, here) => kind.discard(request, here));
}

async function faultsOf(
  claims: readonly ClaimData<SavedData>[],
  work: (kind: FillingData<SavedData>, here: readonly ClaimData<SavedData>[]) => Promise<Faults>,
): Promise<Faults> {
  const all = new Map<string, string>();
  await forEachKind(claims, async (kind, here) => {
    for (const [claim, fault] of await work(kind, here)) {
      const other = all.get(claim);
      all.set(claim, other === undefined ? fault : `${other}; ${fault}`);
    }
  });
  return all;
}

async function forEachKind<One extends ClaimData<SavedData>>(
  claims: readonly One[],
  work: (kind: FillingData<SavedData>, here: readonly One[]) => Promise<void>,
): Promise<void> {
  for (const [kind, here] of Map.groupBy(claims, ({ data }) => data.kind)) await work(kinds[kind], here);
}
