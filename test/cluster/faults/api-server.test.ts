import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restorePhases } from "../../../engine/model.ts";
import type { SmallControlPlane } from "../fidelity/support.ts";
import { damagePart } from "../support/archives.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { killProgram, pauseProgram, slowProgram } from "../support/programs.ts";
import {
  aRunningControlPlane,
  differencesSince,
  logged,
  patienceMs,
  type Picture,
  reaches,
  release,
  takePictureOf,
} from "./scene.ts";

/** Milliseconds: longer than any request takes. */
const standstill = 3_000;
const timeLimits = ["--snapshot-timeout=", "--pods-stop-timeout=", "--finalizer-timeout=", "--apps-start-timeout="];
/** Not the one that the files share: its programs are slow to come back after this. */
let cluster: TestCluster | undefined;
let plane: SmallControlPlane;
let saved: Picture;
let backupCrn: string;

beforeAll(async () => {
  cluster = await startCluster();
  const patient = timeLimits.map((flag) => `${flag}${patienceMs}ms`);
  plane = await aRunningControlPlane("faults-api-server", patient, cluster);
  saved = await takePictureOf(plane);
  ({ crn: backupCrn } = await plane.backUp());
});

afterAll(async () => {
  await plane?.service.stop();
  await cluster?.stop();
});

test("a restore whose API server and etcd stand still for a while wait and complete", async () => {
  await release(plane, 2);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  for (const [program, phase] of [
    ["kube-apiserver", "DELETING_OBJECTS"],
    ["etcd", "RESTORING_OBJECTS"],
  ] as const) {
    await reaches(plane, restoreCrn, phase);
    const goOn = await pauseProgram(plane.cluster, program);
    await sleep(standstill);
    goOn();
  }
  await plane.service.waitForJob(restoreCrn, { timeout: patienceMs });
  expect(await differencesSince(saved, plane, patienceMs)).toEqual([]);
});

test("a restore whose etcd is slow all the while completes", async () => {
  await release(plane, 2);
  const hurry = await slowProgram(plane.cluster, "etcd");
  try {
    const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
    const { warnings, errors } = await plane.service.waitForJob(restoreCrn, { timeout: patienceMs });
    expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  } finally {
    hurry();
  }
  expect(await differencesSince(saved, plane, patienceMs)).toEqual([]);
});

test("a backup, and its deletion, whose API server dies in every phase wait for it and complete", async () => {
  const storage = join(plane.cluster.storageFolder, "snapshots");
  const before = await readdir(storage);
  const { backupCrn: doomed } = await plane.service.api("createBackup");
  await diesIn(doomed, ["PRE_VALIDATION", "SAVING_OBJECTS", "CREATING_SNAPSHOTS"]);
  const { warnings, errors } = await plane.service.waitForJob(doomed, { timeout: patienceMs });
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect((await readdir(storage)).length).toBeGreaterThan(before.length);
  expect(await differencesSince(saved, plane, patienceMs)).toEqual([]); // nor a claim that is held for the snapshots

  const { deleteBackupCrn } = await plane.service.api("deleteBackup", { backupCrn: doomed });
  await diesIn(deleteBackupCrn, ["DELETING_SNAPSHOTS"]);
  await plane.service.waitUntilDeleted(doomed);
  expect(await readdir(storage)).toEqual(before);
});

test("a restore whose API server dies while it rolls back waits for it and is back in the end", async () => {
  await release(plane, 2);
  const before = await takePictureOf(plane);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  await reaches(plane, restoreCrn, "DELETING_OBJECTS");
  const fix = await damagePart(plane.service.data, backupCrn, "core.v1.persistentvolumeclaims");
  await logged(plane, restoreCrn, "rolling back to the state before");
  const start = await killProgram(plane.cluster, "kube-apiserver");
  await start();
  const { errors } = await plane.service.waitForJob(restoreCrn, { state: "FAILED", timeout: patienceMs });
  await fix();
  expect(errors).toMatchObject([
    { text: expect.stringContaining("is damaged") },
    { text: "the restore failed and was rolled back: the control plane is as before" },
  ]);
  expect(await differencesSince(before, plane, patienceMs)).toEqual([]);
});

// The last one: each death makes the cluster's own programs wait longer before they come back.
// https://github.com/kubernetes/client-go/blob/v0.35.4/tools/cache/reflector.go
test("a restore whose API server dies in every phase waits for it and completes", { timeout: 900_000 }, async () => {
  await release(plane, 2);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  await diesIn(restoreCrn, restorePhases);
  const { warnings, errors } = await plane.service.waitForJob(restoreCrn, { timeout: patienceMs });
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await differencesSince(saved, plane, patienceMs)).toEqual([]);
});

/** Kills the API server, and starts it again, as soon as a job has come to each of these phases. */
async function diesIn(crn: string, these: readonly string[]): Promise<void> {
  for (const phase of these) {
    await reaches(plane, crn, phase);
    const start = await killProgram(plane.cluster, "kube-apiserver");
    await start();
  }
}
