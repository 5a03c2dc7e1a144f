import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SmallControlPlane } from "../fidelity/support.ts";
import { killProgram, pauseProgram, slowProgram } from "../support/programs.ts";
import { aRunningControlPlane, differencesSince, type Picture, reaches, release, takePictureOf } from "./scene.ts";

const phases = [
  "PRE_VALIDATION",
  "STOPPING_APPS",
  "DELETING_OBJECTS",
  "DELETING_OBJECTS_PVC",
  "RESTORING_PVC",
  "RESTORING_OBJECTS",
  "STARTING_APPS",
];
/** Milliseconds: longer than any request takes. */
const standstill = 3_000;
let plane: SmallControlPlane;
let saved: Picture;
let backupCrn: string;

beforeAll(async () => {
  // The cluster's own programs take a while to find their way back to the API server.
  const patient = ["--snapshot-timeout=60s", "--pods-stop-timeout=60s", "--apps-start-timeout=60s"];
  plane = await aRunningControlPlane("faults-api-server", [...patient, "--finalizer-timeout=60s"]);
  saved = await takePictureOf(plane);
  ({ crn: backupCrn } = await plane.backUp());
});

afterAll(async () => plane?.remove());

test("a restore whose API server dies in every phase waits for it and completes", async () => {
  await release(plane, 2);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  for (const phase of phases) {
    await reaches(plane, restoreCrn, phase);
    const start = await killProgram(plane.cluster, "kube-apiserver");
    await start();
  }
  const { warnings, errors } = await plane.service.waitForJob(restoreCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await differencesSince(saved, plane)).toEqual([]);
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
  await plane.service.waitForJob(restoreCrn);
  expect(await differencesSince(saved, plane)).toEqual([]);
});

test("a restore whose etcd is slow all the while completes", async () => {
  await release(plane, 2);
  const hurry = await slowProgram(plane.cluster, "etcd");
  try {
    const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
    const { warnings, errors } = await plane.service.waitForJob(restoreCrn, { timeout: 240_000 });
    expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  } finally {
    hurry();
  }
  expect(await differencesSince(saved, plane)).toEqual([]);
});
