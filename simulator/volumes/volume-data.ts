/** A volume's files by path. The bytes are never changed in place, so a copy of the map is a copy of the files. */
export type Files = Map<string, Buffer>;

/** The files of a volume at one moment. */
export interface StoredSnapshot {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly takenAt: Date;
  /** Bytes a volume made from it needs at least. */
  readonly size: number;
}

/** What the storage behind the CSI driver holds: volumes and snapshots by their handles. */
export class VolumeData {
  readonly volumes = new Map<string, Files>();
  readonly snapshots = new Map<string, StoredSnapshot>();
  /** Nodes that have no room for another volume. */
  readonly fullNodes = new Set<string>();
  /** How long it takes to fill a volume from a snapshot, in milliseconds. */
  fillTimeMs = 0;
  /** The uids of claims whose volumes are being filled. */
  readonly filling = new Set<string>();

  /** Makes a volume with a copy of the given files. */
  createVolume(handle: string, files: ReadonlyMap<string, Buffer> = new Map()): void {
    this.volumes.set(handle, new Map(files));
  }

  takeSnapshot(handle: string, files: Files, size: number): StoredSnapshot {
    const snapshot = { files: new Map(files), takenAt: new Date(), size };
    this.snapshots.set(handle, snapshot);
    return snapshot;
  }
}
