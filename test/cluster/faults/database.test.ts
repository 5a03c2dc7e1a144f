import { execFileSync } from "node:child_process";
import { mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SmallControlPlane } from "../fidelity/support.ts";
import { eventually } from "../support/eventually.ts";
import { launchService } from "../support/service.ts";
import { aRunningControlPlane, differencesSince, type Picture, reaches, release, takePictureOf } from "./scene.ts";

/** A file system of its own takes root to mount. */
const mayMount = process.getuid?.() === 0;
let folder: string;
let plane: SmallControlPlane;
let saved: Picture;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drs-faults-"));
  if (mayMount) execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]);
  plane = await aRunningControlPlane("faults-database", [`--data=${join(folder, "data")}`]);
  saved = await takePictureOf(plane);
  await plane.backUp();
});

afterAll(async () => {
  await plane?.remove();
  if (mayMount) execFileSync("umount", ["--lazy", folder]);
  await (mayMount ? rmdir(folder) : rm(folder, { recursive: true }));
});

test("a second service on the same database ends with a clear error, and the first one goes on", async () => {
  const second = await launchService({ cluster: plane.cluster, data: join(folder, "data") });
  await second.ended;
  const error = /^error: database .*drs\.db: another process uses the file: only one may run at a time/;
  expect(second.output()).toMatch(error);

  await plane.backUp();
});

test.runIf(mayMount)("a restore whose database has no room left waits for it and completes", async () => {
  await release(plane, 2);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await reaches(plane, restoreCrn, "DELETING_OBJECTS");
  await writeFile(join(folder, "filler"), Buffer.alloc(16 * 2 ** 20)).catch(() => {}); // as much as there is room for
  await eventually("the job waits", async () => plane.service.output().includes("the job waits for the database"), {
    look: () => plane.service.output(),
  });
  await rm(join(folder, "filler"));

  const { warnings, errors } = await plane.service.waitForJob(restoreCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await differencesSince(saved, plane)).toEqual([]);
});
