import { readFile, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { clusterPath, type SmallControlPlane } from "../fidelity/support.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { killDriver, pauseProgram } from "../support/programs.ts";
import {
  aRunningControlPlane,
  differencesSince,
  type Picture,
  logged,
  reaches,
  release,
  takePictureOf,
  touchedSince,
} from "./scene.ts";

let plane: SmallControlPlane;
let saved: Picture;
let backupCrn: string;
/** Ends a fault, whatever has become of the test. */
const ends: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  plane = await aRunningControlPlane("faults-volumes");
  saved = await takePictureOf(plane);
  ({ crn: backupCrn } = await plane.backUp());
  await release(plane, 2);
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

afterAll(async () => plane?.remove());

test("a backup whose driver makes no snapshots fails, names the claims, and leaves nothing behind", async () => {
  ends.push(await pauseProgram(plane.cluster, "csi-snapshotter"));
  const before = await takePictureOf(plane);
  const { backupCrn } = await plane.service.api("createBackup");
  await logged(plane, backupCrn, "cleaning up");
  for (const end of ends.splice(0)) await end();
  const { errors } = await plane.service.waitForJob(backupCrn, { state: "FAILED", timeout: 40_000 });
  expect(JSON.stringify(errors)).toMatch(/snapshots of .*uploads.* were not ready within 6 s/);
  expect(await differencesSince(before, plane)).toEqual([]);
  expect(await plane.list("snapshot.storage.k8s.io/v1/volumesnapshots")).toEqual([]);
  expect(await snapshotContents()).toEqual([]);
});

test("a backup whose driver dies and comes back completes", async () => {
  const start = await killDriver(plane.cluster);
  const { backupCrn } = await plane.service.api("createBackup");
  await start();
  const { warnings, errors } = await plane.service.waitForJob(backupCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
});

test("a restore whose driver fills no claims goes back to what was there before", async () => {
  const before = await takePictureOf(plane);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  await reaches(plane, restoreCrn, "STOPPING_APPS");
  ends.push(await pauseProgram(plane.cluster, "csi-provisioner"));

  const { errors } = await plane.service.waitForJob(restoreCrn, { state: "FAILED", timeout: 60_000 });
  expect(JSON.stringify(errors)).toMatch(/were not bound within 6 s: .*control plane is as it was before/);
  expect(await differencesSince(before, plane)).toEqual([]);
});

test("a restore whose driver dies for a while completes", async () => {
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  await reaches(plane, restoreCrn, "DELETING_OBJECTS");
  const start = await killDriver(plane.cluster);
  await reaches(plane, restoreCrn, "RESTORING_PVC");
  await start();
  await plane.service.waitForJob(restoreCrn);
  expect(await differencesSince(saved, plane)).toEqual([]);
});

test("a restore of a backup whose snapshot is gone from the storage fails and touches nothing", async () => {
  await release(plane, 2);
  await plane.backUp();
  const snapshots = join(plane.cluster.storageFolder, "snapshots");
  const of = await newestSnapshotOf("uploads");
  await rename(join(snapshots, of), join(snapshots, `${of}.partial`));
  const before = await takePictureOf(plane);

  const { errors } = await plane.restore({ state: "FAILED" });
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/snapshots of this backup cannot be used: .*uploads/);
  expect(await touchedSince(before, plane)).toEqual([]);
  expect(await snapshotContents()).toEqual([]);
});

async function snapshotContents(): Promise<readonly KubernetesObject[]> {
  const all = await plane.cluster.kubernetes.list(clusterPath("snapshot.storage.k8s.io/v1/volumesnapshotcontents"));
  return all.filter(({ spec }) => spec.volumeSnapshotRef.namespace === plane.namespace);
}

/** The driver's folder of the one snapshot of a claim's volume. */
async function newestSnapshotOf(claim: string): Promise<string> {
  const { volumeName } = (await plane.get("v1/persistentvolumeclaims", claim))["spec"];
  const folder = join(plane.cluster.storageFolder, "snapshots");
  for (const file of await readdir(folder))
    if (file.endsWith(".source") && (await readFile(join(folder, file), "utf8")) === volumeName)
      return file.slice(0, -".source".length);
  throw new Error(`no snapshot of ${claim}`);
}
