import type { ArchiveReader } from "../archive/archive-reader.ts";
import type { SavedVolume, SnapshotData } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import { isClaim } from "../kinds/core/claim.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { isBound } from "../volumes/bound-claims.ts";
import { classFor } from "../volumes/saved-data.ts";
import { nameFor } from "../volumes/snapshots/snapshot-objects.ts";
import { existingClasses } from "../volumes/storage-classes.ts";
import type { Clone } from "./clones.ts";
import { liveVolumeOf } from "./live-claims.ts";
import type { LiveVolume } from "./live-volumes.ts";
import type { MoverRequest } from "./movers/run-mover.ts";

/** A volume that is to be copied. */
export interface WantedCopy {
  readonly volume: CopiedClaim;
  /** How it is read, to be asked when it is its turn: where a live one is used changes. Or why it cannot be. */
  readonly source: () => Promise<Clone | LiveVolume | { readonly reason: string }>;
}

/** The claim that was saved. */
export type CopiedClaim = Pick<SavedVolume, "namespace" | "claim">;

/** The claims of an archive whose data is in no snapshot, though they have a volume. */
export async function claimsWithoutSnapshot(
  archive: ArchiveReader,
  signal: AbortSignal,
): Promise<readonly CopiedClaim[]> {
  const saved = new Set(archive.manifest.volumes.map(keyOf));
  const claims: CopiedClaim[] = [];
  for await (const object of claimsIn(archive, signal)) {
    const claim = { namespace: object.metadata.namespace ?? "", claim: object.metadata.name };
    if (isBound(object) && !saved.has(keyOf(claim))) claims.push(claim);
  }
  return claims;
}

/**
 * Says of each volume how it is read: from a clone of its snapshot, in its own class or the one that is set, or, where it has no
 * snapshot, while applications use it.
 */
export async function* wantedCopies(
  { cluster, place, signal }: MoverRequest,
  archive: ArchiveReader,
  claims: readonly CopiedClaim[],
): AsyncGenerator<WantedCopy> {
  const classes = await existingClasses(cluster, signal);
  const volumes = new Map(archive.manifest.volumes.map((volume) => [keyOf(volume), volume]));
  const missing = new Map(claims.map((claim) => [keyOf(claim), claim]));
  for await (const saved of claimsIn(archive, signal)) {
    const volume = missing.get(`${saved.metadata.namespace}/${saved.metadata.name}`);
    if (!volume) continue;
    missing.delete(keyOf(volume));
    const { namespace } = place;
    const reader = { namespace, claim: nameFor(place.uuid, volume.namespace, volume.claim) };
    const snapshotted = volumes.get(keyOf(volume));
    if (snapshotted === undefined) {
      yield { volume, source: () => orReason(liveVolumeOf(cluster, reader, saved, signal), signal) };
      continue;
    }
    const data = snapshotted.data.find((one): one is SnapshotData => one.kind === "snapshot");
    const storageClass = place.copies.storageClass ?? classFor(snapshotted, classes)?.metadata.name;
    if (data === undefined) yield impossible(volume, "it has no snapshot");
    else if (storageClass === undefined)
      yield impossible(
        volume,
        `no storage class has its driver ${data.driver}: create one, or name one with --copies-storage-class`,
      );
    else yield { volume, source: () => Promise.resolve({ ...reader, data, storageClass, saved }) };
  }
  for (const volume of missing.values()) yield impossible(volume, "its claim is not in the backup");
}

/** A right that is missing, say, keeps no other volume from being copied. */
async function orReason<T>(work: Promise<T>, signal: AbortSignal): Promise<T | { readonly reason: string }> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DrsError) || error.code === "UNAVAILABLE" || signal.aborted) throw error;
    return { reason: error.message };
  }
}

function impossible(volume: CopiedClaim, reason: string): WantedCopy {
  return { volume, source: () => Promise.resolve({ reason }) };
}

async function* claimsIn(archive: ArchiveReader, signal: AbortSignal): AsyncGenerator<KubernetesObject> {
  const part = archive.parts.find(isClaim);
  for await (const bytes of part ? archive.objects(part, signal) : [])
    yield JSON.parse(bytes.toString()) as KubernetesObject;
}

function keyOf({ namespace, claim }: CopiedClaim): string {
  return `${namespace}/${claim}`;
}
