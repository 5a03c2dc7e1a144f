import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import {
  type ControlPlanePicture,
  createControlPlane,
  differencesSince,
  namespaces,
  unready,
} from "./support/control-plane.ts";
import { apiPath } from "./support/kubernetes-client.ts";
import { restoreLeftovers } from "./support/leftovers.ts";
import { keysOf } from "./support/archives.ts";
import { startService, type TestService } from "./support/service.ts";
import { sharedCluster } from "./support/shared-cluster.ts";
import { wreckCompletely, wreckInPlace } from "./support/wreck.ts";

let cluster: TestCluster;
let archives: string;
let service: TestService;
let before: ControlPlanePicture;
let backupCrn: string;

beforeAll(async () => {
  cluster = await sharedCluster();
  archives = await mkdtemp(join(tmpdir(), "drs-archives-"));
  service = await startService({ cluster, flags: ["--storage", pathToFileURL(archives).href] });
  before = await createControlPlane(cluster);
});

afterAll(async () => {
  await service?.stop();
  await rm(archives, { recursive: true, force: true });
});

test("a backup of a running control plane is COMPLETED and changes nothing", async () => {
  expect(await service.api("listBackupEntities")).toEqual({ items: namespaces });
  ({ backupCrn } = await service.api("createBackup", { backupName: "before the upgrade" }));

  const backup = await service.waitForJob(backupCrn);
  expect(backup).toMatchObject({ backupName: "before the upgrade", warnings: [], errors: [] });
  expect(backup.includedNamespaces).toEqual(namespaces);
  expect(await phases(backupCrn)).toEqual(["PRE_VALIDATION", "SAVING_OBJECTS", "CREATING_SNAPSHOTS", "FINISHED"]);
  expect(await differencesSince(before, cluster)).toEqual([]);
});

test("a restore brings back what was changed, deleted and overwritten in the same namespaces", async () => {
  await wreckInPlace(cluster);

  const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
  const restore = await service.waitForJob(restoreCrn);
  expect(await unready(cluster)).toEqual([]);
  expect(restore).toMatchObject({ backupCrn, warnings: [], errors: [] });
  expect(await phases(restoreCrn)).toEqual([
    "PRE_VALIDATION",
    "STOPPING_APPS",
    "DELETING_OBJECTS",
    "DELETING_OBJECTS_PVC",
    "RESTORING_PVC",
    "RESTORING_OBJECTS",
    "STARTING_APPS",
    "FINISHED",
  ]);
  expect(await differencesSince(before, cluster)).toEqual([]);
  expect(await migrationTime()).toBe(before.objects.get("Job.batch cdp/schema-migration")?.["status"].completionTime);
  expect(await restoreLeftovers(cluster, restoreCrn)).toEqual([]);
});

test("a restore brings back a control plane whose namespaces and snapshot objects are gone", async () => {
  await wreckCompletely(cluster);
  expect(await restoreFromNothing(cluster, service)).toEqual(lostPermanently);
});

test("a service with an empty database and the key restores a backup of its storage into an empty cluster", async () => {
  const second = await startCluster({ snapshotsOf: cluster });
  const flags = ["--storage", pathToFileURL(archives).href, keysOf(service.data)];
  const secondService = await startService({ cluster: second, flags });
  try {
    const { backups } = await secondService.api("listBackups");
    expect(backups).toMatchObject([{ backupCrn, backupName: "before the upgrade", backupJobState: "COMPLETED" }]);
    expect(await restoreFromNothing(second, secondService)).toEqual(lostPermanently);
  } finally {
    await secondService.stop();
    await second.stop();
  }
});

/** The user's own VolumeSnapshot went with its namespace, and its storage snapshot with it; the job says so. */
const lostPermanently = ["VolumeSnapshot.snapshot.storage.k8s.io cdp/before-the-upgrade: missing"];

/** Restores the backup where nothing of it is left, and gives what differs from before. */
async function restoreFromNothing(into: TestCluster, by: TestService): Promise<readonly string[]> {
  const { restoreCrn } = await by.api("restoreBackup", { backupCrn });
  const restore = await by.waitForJob(restoreCrn, { state: "PARTIALLY_FAILED" });
  expect(await unready(into)).toEqual([]);
  expect(restore.errors).toEqual([]);
  expect(restore.warnings).toHaveLength(1);
  expect(JSON.stringify(restore.warnings)).toContain("before-the-upgrade");

  expect(await restoreLeftovers(into, restoreCrn)).toEqual([]);
  return differencesSince(before, into, { expected: lostPermanently });
}

/** When the finished job of the control plane finished: a restore must not run it again. */
async function migrationTime(): Promise<string> {
  const job = apiPath({ apiVersion: "batch/v1", resource: "jobs" }, "cdp", "schema-migration");
  return (await cluster.kubernetes.get(job))["status"].completionTime;
}

/** The phases of a job in the order in which its log first names them. */
async function phases(crn: string): Promise<readonly string[]> {
  const { logs } = (await service.api("getLogs", { crn })) as { logs: string };
  const phase =
    /PRE_VALIDATION|SAVING_OBJECTS|CREATING_SNAPSHOTS|STOPPING_APPS|[A-Z]+_OBJECTS(_PVC)?|RESTORING_PVC|STARTING_APPS|FINISHED/g;
  return [...new Set(logs.match(phase))];
}
