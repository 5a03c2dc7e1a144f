import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { uuidOf } from "../../../engine/crn.ts";
import { eventually } from "../support/eventually.ts";
import { type RealCluster, startRealCluster } from "../support/real-node.ts";
import { type S3Server, startS3Server } from "../support/s3-server.ts";
import { startService, type TestService } from "../support/service.ts";
import { claimFolder } from "../support/volumes.ts";
import {
  copyFlags,
  copyOf,
  inFolder,
  logAtEnd,
  makeClaim,
  makeClaims,
  moverNamespace,
  pictureOf,
  repositoryIn,
  ResticByHand,
} from "./scene.ts";

const run = promisify(execFile);
describe.skipIf(inject("noRealNode") !== "")("copies of volumes", () => {
  let cluster: RealCluster;
  let s3: S3Server;
  let service: TestService;
  let restic: ResticByHand;
  let repository: string;
  let files: string;
  let disk: string;
  let backupCrn: string;

  beforeAll(async () => {
    cluster = await startRealCluster();
    s3 = await startS3Server(cluster.address);
    await makeClaims(cluster, s3);
    await makeClaim(cluster, "files", "Filesystem");
    await makeClaim(cluster, "disk", "Block");
    files = await claimFolder(cluster, "cdp", "files");
    disk = await claimFolder(cluster, "cdp", "disk");
    await run(join(import.meta.dirname, "odd-files.sh"), [files]);
    await writeFile(disk, "at the start of the device", { flag: "r+" });
    repository = repositoryIn(s3, "copies");
    service = await startService({ cluster, flags: copyFlags(repository) });
    restic = await ResticByHand.open(s3, repository, join(service.data, "encryption-keys"));
  });

  afterAll(async () => {
    await service?.stop();
    await s3?.stop();
    await cluster?.stop();
  });

  /** What copies work with that is still there. */
  async function leftovers(): Promise<string> {
    const kinds = "jobs,pods,persistentvolumeclaims,networkpolicies,volumesnapshots";
    const here = await cluster.kubectl("-n", moverNamespace, "get", kinds, "--output=name");
    const secrets = await cluster.kubectl("-n", moverNamespace, "get", "secrets", "--output=name");
    const contents = await cluster.kubectl("get", "volumesnapshotcontents", "--output=name");
    return here + contents + secrets.replace("secret/repository\n", "");
  }

  async function backUp(): Promise<{ readonly crn: string; readonly log: string }> {
    const { backupCrn: crn } = await service.api("createBackup");
    expect(await service.waitForJob(crn)).toMatchObject({ warnings: [], errors: [] });
    return { crn, log: await logAtEnd(service, await copyOf(service, crn)) };
  }

  test("files and devices are copied by pods, and restic brings them back by hand as they were", async () => {
    const before = await pictureOf(files);
    const { crn, log } = await backUp();
    backupCrn = crn;
    expect(log).toContain("job ended COMPLETED");
    const snapshots = await restic.snapshots(`drs-backup:${uuidOf(crn)}`);
    const byPath = new Map(snapshots.map(({ id, paths: [path = ""] }) => [path, id]));
    expect([...byPath.keys()].sort()).toEqual(["/volumes/cdp/disk", "/volumes/cdp/files"]);
    await inFolder(async (folder) => {
      await restic.run("restore", byPath.get("/volumes/cdp/files") ?? "", "--target", folder, "--verify", "--sparse");
      expect(await pictureOf(join(folder, "volumes/cdp/files"))).toBe(before);
      const device = join(folder, "device");
      await restic.dump(byPath.get("/volumes/cdp/disk") ?? "", "/volumes/cdp/disk", device);
      expect((await readFile(device)).equals(await readFile(disk))).toBe(true);
    });
    await eventually("nothing of the copy is left", async () => (await leftovers()) === "", { look: leftovers });
    const volumes = await cluster.kubectl("get", "persistentvolumes", "--output=name");
    expect(volumes.trim().split("\n")).toHaveLength(2);
  });

  test("a second copy sends what has changed, and no more", async () => {
    await writeFile(join(files, "plain"), "changed");
    const { log } = await backUp();
    const added = [...log.matchAll(/copied claim cdp\/(\w+): .* of which (\d+) were new/g)];
    expect(new Set(added.map(([, claim]) => claim))).toEqual(new Set(["disk", "files"]));
    for (const [, , bytes] of added) expect(Number(bytes)).toBeLessThan(500_000);
  });

  test("a service that dies while movers run takes up what they have done", async () => {
    await run("sh", ["-c", 'head -c 40000000 /dev/urandom >"$1"/large', "sh", files]);
    const data = service.data;
    await service.kill("SIGTERM");
    service = await startService({ cluster, data, flags: [...copyFlags(repository), "--copies-upload-limit=4000"] });
    const { backupCrn: crn } = await service.api("createBackup");
    await service.waitForJob(crn);
    const copy = await copyOf(service, crn);
    await eventually("a mover runs", async () => {
      const pods = await cluster.kubectl("-n", moverNamespace, "get", "pods", "--output=wide");
      return / 1\/1 +Running/.test(pods) && pods.includes("drs-");
    });
    await service.kill("SIGKILL");
    service = await startService({ cluster, data, flags: copyFlags(repository) });
    expect(await logAtEnd(service, copy)).toContain("job ended COMPLETED");
    expect(await restic.snapshots(`drs-backup:${uuidOf(crn)}`)).toHaveLength(2);
    await eventually("nothing of the copy is left", async () => (await leftovers()) === "", { look: leftovers });
  });

  test("a deletion forgets the copies of its backup, and no other's", async () => {
    const all = await restic.snapshots();
    await service.api("deleteBackup", { backupCrn });
    await service.waitUntilDeleted(backupCrn);
    expect(await restic.snapshots(`drs-backup:${uuidOf(backupCrn)}`)).toEqual([]);
    expect(await restic.snapshots()).toHaveLength(all.length - 2);
    expect(await leftovers()).toBe("");
  });

  test("a repository that none of the service's keys opens is named by a warning of the backup, which is there all the same", async () => {
    const other = await startService({ cluster, flags: copyFlags(repository) });
    try {
      const { backupCrn: crn } = await other.api("createBackup");
      await other.waitForJob(crn);
      await logAtEnd(other, await copyOf(other, crn));
      const { backup } = await other.api("describeBackup", { backupCrn: crn });
      expect(JSON.stringify(backup)).toMatch(
        /cannot be opened: none of the service's encryption keys opens the repository/,
      );
    } finally {
      await other.stop();
    }
  });
});
