import type { ArchiveStore } from "../store/archive-store.ts";
import { manifestFile } from "./archive-paths.ts";
import { altered } from "./damage.ts";

/**
 * Remembers which manifest each archive has, and with it which parts. Whoever writes to the storage can put another
 * archive into a folder at any time, also while a restore reads it: digests that fit are made by anybody.
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
   * Whether the manifest that lies there was written here. The first one that is found in a folder is remembered;
   * DATA_LOSS for another one than is known, unless it was only found, and now its key proves it.
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
