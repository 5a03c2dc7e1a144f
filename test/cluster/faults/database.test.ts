import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SmallControlPlane } from "../fidelity/support.ts";
import { eventually } from "../support/eventually.ts";
import { launchService, startService } from "../support/service.ts";
import { aRunningControlPlane, differencesSince, type Picture, reaches, release, takePictureOf } from "./scene.ts";

const namespace = "faults-database";
/** A program of somebody else, which locks a database for as long as its input is open, or reports why it cannot. */
const locker = `
import Sqlite from "better-sqlite3";
process.stdin.resume();
try {
  new Sqlite(process.argv[1], { timeout: 0 }).exec("BEGIN EXCLUSIVE");
  console.log("locked");
} catch (error) {
  console.log(error.message);
}`;
/** A file system of its own takes root to mount. */
const mayMount = process.getuid?.() === 0;
let folder: string;
let plane: SmallControlPlane;
let saved: Picture;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drs-faults-"));
  if (mayMount) execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]);
  plane = await aRunningControlPlane(namespace, [`--data=${join(folder, "data")}`]);
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
  const error = /^error: DRS-S005 database .*drs\.db: another process uses the file: only one may run at a time/;
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

test("a foreign program cannot lock the database of a job that runs", async () => {
  await release(plane, 2);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await reaches(plane, restoreCrn, "DELETING_OBJECTS");
  const { program, said } = await lockDatabase();
  await end(program);
  expect(said).toBe("database is locked");

  const { warnings, errors } = await plane.service.waitForJob(restoreCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await differencesSince(saved, plane)).toEqual([]);
});

test("a service whose database a foreign program holds says so and ends; afterwards it goes on with its job", async () => {
  await release(plane, 2);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await reaches(plane, restoreCrn, "DELETING_OBJECTS");
  await plane.service.kill();
  const { program, said } = await lockDatabase();
  expect(said).toBe("locked");
  const flags = [`--namespace=${namespace}`, `--vault-namespace=${namespace}-vault`];
  const options = { cluster: plane.cluster, data: join(folder, "data"), flags };
  const waiting = await launchService(options);
  await waiting.ended;
  expect(waiting.output()).toMatch(/^error: DRS-S005 database .*drs\.db: another process uses the file/);

  await end(program);
  plane = new SmallControlPlane(namespace, plane.cluster, await startService(options));
  const { warnings, errors } = await plane.service.waitForJob(restoreCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await differencesSince(saved, plane)).toEqual([]);
});

async function lockDatabase(): Promise<{ program: ChildProcess; said: string }> {
  const file = join(folder, "data/drs.db");
  const program = spawn(process.execPath, ["--input-type=module", "--eval", locker, file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [said] = (await once(program.stdout, "data")) as [Buffer];
  return { program, said: said.toString().trim() };
}

async function end(program: ChildProcess): Promise<void> {
  program.stdin?.end();
  await once(program, "exit");
}
