import type { StorageConfig } from "../config.ts";
import type { ArchiveStorage } from "./archive-storage.ts";
import { FilesystemArchiveStorage } from "./filesystem-archive-storage.ts";

/** The storage that the configuration names. It need not be there yet: `check` proves that it can be used. */
export async function openStorage(config: StorageConfig): Promise<ArchiveStorage> {
  switch (config.kind) {
    case "folder": {
      const storage = new FilesystemArchiveStorage(config.path);
      storage.open().catch(() => undefined); // tried again, and told, where it is used
      return storage;
    }
    case "s3": {
      const { S3ArchiveStorage } = await import("./s3-archive-storage.ts"); // its client is slow to load
      return S3ArchiveStorage.open(config);
    }
  }
}
