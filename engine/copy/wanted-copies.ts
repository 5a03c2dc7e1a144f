import type { ArchiveReader } from "../archive/archive-reader.ts";
import type { SavedVolume, SnapshotData } from "../archive/format.ts";
import { isClaim } from "../kinds/core/claim.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { classFor } from "../volumes/saved-data.ts";
import { nameFor } from "../volumes/snapshots/snapshot-objects.ts";
import { existingClasses } from "../volumes/storage-classes.ts";
import type { Clone } from "./clones.ts";
import type { MoverRequest } from "./run-mover.ts";

/** A volume that is to be copied. */
export interface WantedCopy {
  readonly volume: SavedVolume;
  readonly clone: Clone;
}

/** One that cannot be. */
export interface Unwanted {
  readonly volume: SavedVolume;
  readonly reason: string;
}

/** Says of each volume how it is read: from a clone of its snapshot, in its own class or the one that is set. */
export async function* wantedCopies(
  { cluster, place, signal }: MoverRequest,
  archive: ArchiveReader,
  volumes: readonly SavedVolume[],
): AsyncGenerator<WantedCopy | Unwanted> {
  const classes = await existingClasses(cluster, signal);
  const missing = new Map(volumes.map((volume) => [`${volume.namespace}/${volume.claim}`, volume]));
  const part = archive.parts.find(isClaim);
  for await (const bytes of part ? archive.objects(part, signal) : []) {
    const saved = JSON.parse(bytes.toString()) as KubernetesObject;
    const key = `${saved.metadata.namespace}/${saved.metadata.name}`;
    const volume = missing.get(key);
    if (!volume) continue;
    missing.delete(key);
    const data = volume.data.find((one): one is SnapshotData => one.kind === "snapshot");
    const storageClass = place.copies.storageClass ?? classFor(volume, classes)?.metadata.name;
    if (data === undefined) yield { volume, reason: "it has no snapshot" };
    else if (storageClass === undefined)
      yield {
        volume,
        reason: `no storage class has its driver ${data.driver}: create one, or name one with --copies-storage-class`,
      };
    else {
      const { namespace } = place;
      const claim = nameFor(place.uuid, volume.namespace, volume.claim);
      yield { volume, clone: { namespace, claim, data, storageClass, saved } };
    }
  }
  for (const volume of missing.values()) yield { volume, reason: "its claim is not in the backup" };
}
