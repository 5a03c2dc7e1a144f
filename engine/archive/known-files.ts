import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";

/** A storage of files that have been there: a missing one is UNAVAILABLE, gone with its storage. */
export function knownFiles(storage: ArchiveStorage): Pick<ArchiveStorage, "read" | "size"> {
  const known = async <T>(key: string, look: Promise<T>): Promise<T> => {
    try {
      return await look;
    } catch (error) {
      if (!(error instanceof DrsError) || error.code !== "NOT_FOUND") throw error;
      throw new DrsError("UNAVAILABLE", `${key} is gone from ${storage.description}: is the storage there?`, {
        id: "DRS-A010",
        cause: error,
      });
    }
  };
  return {
    read: (key, signal) => known(key, storage.read(key, signal)),
    size: (key, signal) => known(key, storage.size(key, signal)),
  };
}
