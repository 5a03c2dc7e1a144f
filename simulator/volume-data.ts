/** A volume's files by path. The bytes are never changed in place, so a copy of the map is a copy of the files. */
export type Files = Map<string, Buffer>;

/** What the storage behind the CSI driver holds: files by volume handle and by snapshot handle. */
export class VolumeData {
  readonly volumes = new Map<string, Files>();
  readonly snapshots = new Map<string, Files>();

  takeSnapshot(volumeHandle: string, snapshotHandle: string): void {
    this.snapshots.set(snapshotHandle, new Map(this.volumes.get(volumeHandle)));
  }

  /** Makes a volume: empty, or with the files of a snapshot. */
  createVolume(volumeHandle: string, snapshotHandle?: string): void {
    this.volumes.set(volumeHandle, new Map(snapshotHandle === undefined ? [] : this.snapshots.get(snapshotHandle)));
  }
}

/** The bytes of a snapshot's files. */
export function sizeOf(files: Files | undefined): number {
  let size = 0;
  for (const bytes of files?.values() ?? []) size += bytes.length;
  return size;
}
