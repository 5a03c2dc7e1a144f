import type { StorageConfig } from "../config.ts";
import type { ArchiveStorage } from "./archive-storage.ts";
import { FilesystemArchiveStorage } from "./filesystem-archive-storage.ts";

/** The storage that the configuration names. Nothing is read or written yet: `check` proves that it can be used. */
export async function openStorage(config: StorageConfig): Promise<ArchiveStorage> {
  switch (config.kind) {
    case "folder":
      return new FilesystemArchiveStorage(config.path);
    case "s3": {
      const { S3ArchiveStorage } = await import("./s3-archive-storage.ts"); // its client is slow to load
      return S3ArchiveStorage.open(config);
    }
  }
}
