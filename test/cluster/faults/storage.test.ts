import { execFileSync } from "node:child_process";
import { mkdtemp, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SmallControlPlane } from "../fidelity/support.ts";
import {
  aRunningControlPlane,
  differencesSince,
  logged,
  type Picture,
  reaches,
  release,
  takePictureOf,
  touchedSince,
} from "./scene.ts";

/** A file system of its own takes root to mount. */
const mayMount = process.getuid?.() === 0;
let folder: string;
let plane: SmallControlPlane;
let saved: Picture;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drs-faults-"));
  if (mayMount) execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]);
  plane = await aRunningControlPlane("faults-storage", ["--storage", pathToFileURL(join(folder, "archives")).href]);
  saved = await takePictureOf(plane);
  await plane.backUp();
  await release(plane, 2);
});

afterAll(async () => {
  await plane?.remove();
  if (mayMount) execFileSync("umount", ["--lazy", folder]);
  await rmdir(folder);
});

test.runIf(mayMount)("with a full storage neither backup nor restore touches anything, and both say so", async () => {
  const filler = join(folder, "filler");
  await writeFile(filler, Buffer.alloc(4 * 2 ** 20)).catch(() => {}); // as much as there is room for
  const refusals = await refusedBackupAndRestore();
  await rm(filler);
  expect(refusals).toEqual([expect.stringMatching(/full: make room/), expect.stringMatching(/full: make room/)]);
});

test.runIf(mayMount)(
  "with a read-only storage neither backup nor restore touches anything, and both say so",
  async () => {
    execFileSync("mount", ["-o", "remount,ro", folder]);
    try {
      const refusals = await refusedBackupAndRestore();
      expect(refusals).toEqual([expect.stringMatching(/is read-only/), expect.stringMatching(/is read-only/)]);
    } finally {
      execFileSync("mount", ["-o", "remount,rw", folder]);
    }
  },
);

test("a restore whose storage goes away waits for it and completes", async () => {
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await reaches(plane, restoreCrn, "DELETING_OBJECTS");
  await rename(join(folder, "archives"), join(folder, "away"));
  await logged(plane, restoreCrn, "is the storage there?");
  await rename(join(folder, "away"), join(folder, "archives"));

  const { warnings, errors } = await plane.service.waitForJob(restoreCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await differencesSince(saved, plane)).toEqual([]);
});

/** The errors of a backup and of a restore, which fail before they have changed anything. */
async function refusedBackupAndRestore(): Promise<readonly string[]> {
  const before = await takePictureOf(plane);
  const { backupCrn } = await plane.service.api("createBackup");
  const backup = await plane.service.waitForJob(backupCrn, { state: "FAILED" });
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  const restore = await plane.service.waitForJob(restoreCrn, { state: "FAILED" });
  expect(await touchedSince(before, plane)).toEqual([]);
  return [...backup.errors, ...restore.errors].map((error) => JSON.stringify(error));
}
