import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";

/** A storage in a folder that goes with the test. */
export async function temporaryStorage(): Promise<{ root: string; storage: FilesystemArchiveStorage }> {
  const root = await mkdtemp(join(tmpdir(), "drs-archive-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return { root, storage: new FilesystemArchiveStorage(root) };
}
