import { existsSync } from "node:fs";
import { readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { clusterPath, type SmallControlPlane } from "../fidelity/support.ts";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { killDriver, pauseProgram } from "../support/programs.ts";
import { claimFolder } from "../support/volumes.ts";
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

/** On contents: the sidecar is to delete their snapshots. */
const toGo = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted";

let plane: SmallControlPlane;
let saved: Picture;
let backupCrn: string;
/** The backup's snapshot of the claim uploads. */
let savedSnapshot: string;
/** Ends a fault, whatever has become of the test. */
const ends: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  plane = await aRunningControlPlane("faults-volumes");
  saved = await takePictureOf(plane);
  ({ crn: backupCrn } = await plane.backUp());
  savedSnapshot = await newestSnapshotOf("uploads");
  await release(plane, 2);
});

afterEach(endFaults);

afterAll(async () => plane?.remove());

test("a backup whose driver makes no snapshots fails, names the claims, and leaves nothing behind", async () => {
  ends.push(await pauseProgram(plane.cluster, "csi-snapshotter"));
  const before = await takePictureOf(plane);
  const { backupCrn } = await plane.service.api("createBackup");
  await logged(plane, backupCrn, "cleaning up");
  await eventually("the contents are to go", async () => {
    const contents = await snapshotContents();
    return contents.length === 2 && contents.every(({ metadata }) => metadata.annotations?.[toGo] === "yes");
  });
  // As the sidecar does when it begins a snapshot with what it knew of its content before.
  for (const { metadata } of await snapshotContents())
    await plane.cluster.kubernetes.patch(
      clusterPath("snapshot.storage.k8s.io/v1/volumesnapshotcontents", metadata.name),
      { metadata: { annotations: { [toGo]: null } } },
    );
  await endFaults();
  // The sidecar deletes what it has begun at its next try.
  const { errors } = await plane.service.waitForJob(backupCrn, { state: "FAILED", timeout: 240_000 });
  expect(errors).toHaveLength(1);
  expect(JSON.stringify(errors)).toMatch(/snapshots of .*uploads.* were not ready within 6 s/);
  expect(await differencesSince(before, plane)).toEqual([]);
  expect(await plane.list("snapshot.storage.k8s.io/v1/volumesnapshots")).toEqual([]);
  expect(await snapshotContents()).toEqual([]);
});

test("a backup with one volume whose snapshot fails permanently fails, and names the claim and the driver's words", async () => {
  const volume = await volumeOf("uploads");
  await failFor(volume, { code: "INTERNAL", message: "the pool's mirror is broken" });
  const before = await takePictureOf(plane);
  const { backupCrn } = await plane.service.api("createBackup");
  const { errors } = await plane.service.waitForJob(backupCrn, { state: "FAILED", timeout: 240_000 });
  expect(errors).toHaveLength(1);
  const text = JSON.stringify(errors);
  expect(text).toMatch(
    /snapshots of faults-volumes\/uploads \(.*the pool's mirror is broken.*\) were not ready within 6 s/,
  );
  expect(text).not.toContain("data-database-0");
  expect(await differencesSince(before, plane)).toEqual([]);
  expect(await plane.list("snapshot.storage.k8s.io/v1/volumesnapshots")).toEqual([]);
  expect(await snapshotContents()).toEqual([]);
  expect(await snapshotsOf(volume)).toHaveLength(1);
});

test("a backup with a volume whose snapshot fails three times completes", async () => {
  const fault = await failFor(await volumeOf("uploads"), {
    code: "UNAVAILABLE",
    message: "the pool is busy",
    times: 3,
  });
  const { warnings, errors } = await plane.backUp();
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(existsSync(fault)).toBe(false);
});

test("a backup whose driver dies and comes back completes", async () => {
  const start = await killDriver(plane.cluster);
  const { backupCrn } = await plane.service.api("createBackup");
  await start();
  const { warnings, errors } = await plane.service.waitForJob(backupCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
});

test("a restore whose driver fills no claims rolls back to the state before", async () => {
  const before = await takePictureOf(plane);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  await reaches(plane, restoreCrn, "STOPPING_APPS");
  ends.push(await pauseProgram(plane.cluster, "csi-provisioner"));

  const { errors } = await plane.service.waitForJob(restoreCrn, { state: "FAILED", timeout: 60_000 });
  expect(JSON.stringify(errors)).toMatch(/were not bound within 6 s: .*control plane is as before/);
  await endFaults(); // the provisioner keeps the volumes' finalizers
  expect(await differencesSince(before, plane)).toEqual([]);
});

test("a restore with one volume that the driver cannot make rolls back to the state before", async () => {
  const before = await takePictureOf(plane);
  await failFor(savedSnapshot, { code: "RESOURCE_EXHAUSTED", message: "the pool is full" });
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  const { errors } = await plane.service.waitForJob(restoreCrn, { state: "FAILED", timeout: 60_000 });
  expect(JSON.stringify(errors)).toMatch(
    /claims of faults-volumes were not bound within 6 s: uploads \(.*the pool is full.*control plane is as before/,
  );
  expect(await differencesSince(before, plane)).toEqual([]);
  expect(await snapshotContents()).toEqual([]);
});

test("a restore with a volume that the driver makes at the fourth time completes", async () => {
  const fault = await failFor(savedSnapshot, { code: "UNAVAILABLE", message: "busy", times: 3 });
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn });
  const { warnings, errors } = await plane.service.waitForJob(restoreCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await differencesSince(saved, plane)).toEqual([]);
  expect(existsSync(fault)).toBe(false);
  await release(plane, 2);
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

async function endFaults(): Promise<void> {
  for (const end of ends.splice(0)) await end();
}

async function snapshotContents(): Promise<readonly KubernetesObject[]> {
  const all = await plane.cluster.kubernetes.list(clusterPath("snapshot.storage.k8s.io/v1/volumesnapshotcontents"));
  return all.filter(({ spec }) => spec.volumeSnapshotRef.namespace === plane.namespace);
}

/** The driver's folder of the one snapshot of a claim's volume. */
async function newestSnapshotOf(claim: string): Promise<string> {
  const [handle] = await snapshotsOf(await volumeOf(claim));
  if (handle === undefined) throw new Error(`no snapshot of ${claim}`);
  return handle;
}

/** The handles of a volume's snapshots in the storage. */
async function snapshotsOf(volume: string): Promise<readonly string[]> {
  const folder = join(plane.cluster.storageFolder, "snapshots");
  const handles: string[] = [];
  for (const file of await readdir(folder))
    if (file.endsWith(".source") && (await readFile(join(folder, file), "utf8")) === volume)
      handles.push(file.slice(0, -".source".length));
  return handles;
}

async function volumeOf(claim: string): Promise<string> {
  return basename(await claimFolder(plane.cluster, plane.namespace, claim));
}

/** Makes the driver fail for requests of a copy of a volume or a snapshot: see `programs/modules/csi-dir/main.go`. */
async function failFor(handle: string, failure: { code: string; message: string; times?: number }): Promise<string> {
  const file = join(plane.cluster.storageFolder, "failing", handle);
  await writeFile(file, JSON.stringify(failure));
  ends.push(() => rm(file, { force: true }));
  return file;
}
