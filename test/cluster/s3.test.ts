import { afterAll, beforeAll, expect, test } from "vitest";
import { keysOf } from "./support/archives.ts";
import type { TestCluster } from "./support/cluster.ts";
import { type ControlPlanePicture, createControlPlane, differencesSince } from "./support/control-plane.ts";
import { type S3Server, startS3Server } from "./support/s3-server.ts";
import { startService, type TestService } from "./support/service.ts";
import { sharedCluster } from "./support/shared-cluster.ts";
import { treeDigest } from "./support/volumes.ts";
import { wreckInPlace } from "./support/wreck.ts";

let cluster: TestCluster;
let s3: S3Server;
let service: TestService;
let before: ControlPlanePicture;
let backupCrn: string;

beforeAll(async () => {
  cluster = await sharedCluster();
  s3 = await startS3Server();
  before = await createControlPlane(cluster);
  service = await startService({ cluster, flags: s3.flags("clusters/main"), env: s3.env });
});

afterAll(async () => {
  await service?.stop();
  await s3?.stop();
});

test("a backup goes into a bucket of an S3 server, below its prefix, and a restore comes out of it", async () => {
  ({ backupCrn } = await service.api("createBackup"));
  await service.waitForJob(backupCrn);
  const keys = await storedKeys();
  expect(keys.filter((key) => key.endsWith("/manifest.json"))).toHaveLength(1);
  expect(keys.filter((key) => !key.startsWith("clusters/main/backups/"))).toEqual([]);

  await wreckInPlace(cluster);
  const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
  await service.waitForJob(restoreCrn);
  expect(await differencesSince(before, cluster)).toEqual([]);
});

test("a service with an empty database and the key finds the backup in the bucket, and deletes it there", async () => {
  const flags = [...s3.flags("clusters/main"), keysOf(service.data)];
  const fresh = await startService({ cluster, flags, env: s3.env });
  try {
    expect((await fresh.api("listBackups")).backups).toMatchObject([{ backupCrn, backupJobState: "COMPLETED" }]);
    await fresh.api("deleteBackup", { backupCrn });
    await fresh.waitUntilDeleted(backupCrn);
    expect(await storedKeys()).toEqual([]);
  } finally {
    await fresh.stop();
  }
});

/** The bucket's objects; the server keeps each as a file. */
async function storedKeys(): Promise<readonly string[]> {
  const tree = [...(await treeDigest(s3.bucketFolder))];
  return tree.filter(([, digest]) => digest.startsWith("file")).map(([key]) => key);
}
