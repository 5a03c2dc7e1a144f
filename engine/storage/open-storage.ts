import { setTimeout as sleep } from "node:timers/promises";
import type { StorageConfig } from "../config.ts";
import { DrsError } from "../errors.ts";
import { whyUnusable } from "../unusable-folder.ts";
import type { ArchiveStorage } from "./archive-storage.ts";
import { translateFileError } from "./file-error.ts";
import { FilesystemArchiveStorage } from "./filesystem-archive-storage.ts";

/** How long, in milliseconds, a start waits for a folder's file system to answer. */
const openWait = 5_000;

/**
 * The configured storage. FAILED_PRECONDITION when it cannot be used as it is: a folder that is a file, or may
 * not be written. It need not be there yet: an unavailable one is retried, and logged, where it is used, and `check` proves
 * that it can be used.
 */
export async function openStorage(config: StorageConfig): Promise<ArchiveStorage> {
  switch (config.kind) {
    case "folder":
      return openFolder(config.path, "--storage");
    case "s3": {
      const { S3ArchiveStorage } = await import("./s3-archive-storage.ts"); // its client is slow to load
      return S3ArchiveStorage.open(config);
    }
  }
}

/** A folder as `openStorage`; the setting is what names it. */
export async function openFolder(path: string, setting: string): Promise<ArchiveStorage> {
  const storage = new FilesystemArchiveStorage(path);
  const opening = storage.open().catch((error: unknown) => refuseUnusable(error, storage.description, setting));
  await Promise.race([opening, sleep(openWait, undefined, { ref: false })]);
  return storage;
}

function refuseUnusable(error: unknown, folder: string, setting: string): void {
  const translated = translateFileError(error, folder, "");
  if (translated instanceof DrsError && translated.code === "UNAVAILABLE") return;
  const message = `${folder} cannot hold archives: ${whyUnusable(error)}; correct that, or name another one with ${setting}`;
  throw new DrsError("FAILED_PRECONDITION", message, { id: "DRS-S001", cause: error });
}
