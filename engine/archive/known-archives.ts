import type { ArchiveStore } from "../store/archive-store.ts";
import { manifestFile } from "./archive-paths.ts";
import { altered } from "./damage.ts";

/**
 * Remembers the manifest of each archive, and with it its parts. Anyone who writes to the storage can put another
 * archive into a folder at any time, also while a restore reads it: anybody can compute fitting digests.
 */
export class KnownArchives {
  readonly #store: ArchiveStore;

  constructor(store: ArchiveStore) {
    this.#store = store;
  }

  /** To be called before the manifest is written: there is no moment in which another one would be believed. */
  wrote(folder: string, sha256: string): void {
    this.#store.set(folder, { sha256, isOwn: true });
  }

  /**
   * Whether the manifest there was written by this service. The first one found in a folder is remembered;
   * DATA_LOSS for one other than the known one, unless that was only found, and the key proves the new one.
   */
  recognise(folder: string, sha256: string, isEncrypted: boolean): boolean {
    const known = this.#store.get(folder);
    if (known?.sha256 === sha256) return known.isOwn;
    if (known && (known.isOwn || !isEncrypted))
      throw altered(
        `${folder}/${manifestFile}`,
        `it is not the one that was ${known.isOwn ? "written" : "first found"} here`,
        "DRS-A004",
      );
    this.#store.set(folder, { sha256, isOwn: false });
    return false;
  }

  forget(folder: string): void {
    this.#store.remove(folder);
  }
}
