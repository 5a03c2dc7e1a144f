import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TestCluster } from "./support/cluster.ts";
import { createControlPlane } from "./support/control-plane.ts";
import { startService, type TestService } from "./support/service.ts";
import { sharedCluster } from "./support/shared-cluster.ts";
import { treeDigest } from "./support/volumes.ts";
import { wreckCompletely } from "./support/wreck.ts";

let cluster: TestCluster;
let service: TestService;
const claims = 8;

beforeAll(async () => {
  cluster = await sharedCluster();
  service = await startService({ cluster });
  await createControlPlane(cluster);
});

afterAll(async () => service?.stop());

test("deleteBackup removes the backup's storage snapshots, its archive and its row, and nothing else", async () => {
  const others = await storageSnapshots();
  const kept = await finishedBackup("kept");
  const withKept = await storageSnapshots();
  const deleted = await finishedBackup("deleted");
  expect(withKept).toHaveLength(others.length + claims);
  expect(await storageSnapshots()).toHaveLength(others.length + 2 * claims);

  const { deleteBackupCrn } = await service.api("deleteBackup", { backupCrn: deleted });
  expect(deleteBackupCrn).toContain(":deleteBackup:");
  await service.waitUntilDeleted(deleted);

  expect(await storageSnapshots()).toEqual(withKept);
  expect(await archivedBackups()).toEqual([uuidOf(kept)]);
  expect((await service.api("listBackups")).backups).toMatchObject([{ backupCrn: kept }]);
  const left = await cluster.kubectl("get", "volumesnapshots,volumesnapshotcontents", "-A", "--output=json");
  expect(left).not.toContain(uuidOf(deleted));
});

test("deleteBackup removes the storage snapshots also when the namespaces and snapshot objects are gone", async () => {
  const backupCrn = await finishedBackup("orphan");
  const before = await storageSnapshots();
  await wreckCompletely(cluster);
  const usersOwn = 1; // went with its VolumeSnapshot
  expect(await storageSnapshots()).toHaveLength(before.length - usersOwn);

  await service.api("deleteBackup", { backupCrn });
  await service.waitUntilDeleted(backupCrn);
  expect(await storageSnapshots()).toHaveLength(before.length - usersOwn - claims);
  expect(await archivedBackups()).not.toContain(uuidOf(backupCrn));
});

async function finishedBackup(backupName: string): Promise<string> {
  const { backupCrn } = await service.api("createBackup", { backupName });
  await service.waitForJob(backupCrn);
  return backupCrn;
}

async function storageSnapshots(): Promise<readonly string[]> {
  const names = await readdir(join(cluster.storageFolder, "snapshots"));
  return names.filter((name) => !name.endsWith(".source")).sort();
}

/** The backups of which anything lies in the storage. */
async function archivedBackups(): Promise<readonly string[]> {
  const paths = [...(await treeDigest(join(service.data, "archives"))).keys()];
  return [...new Set(paths.flatMap((path) => /^backups\/([^/]+)/.exec(path)?.[1] ?? []))].sort();
}

function uuidOf(crn: string): string {
  return crn.slice(crn.lastIndexOf(":") + 1);
}
