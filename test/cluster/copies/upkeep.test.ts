import { execFile } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { uuidOf } from "../../../engine/crn.ts";
import { eventually } from "../support/eventually.ts";
import { type RealCluster, startRealCluster } from "../support/real-node.ts";
import { type S3Server, startS3Server } from "../support/s3-server.ts";
import { startService, type TestService } from "../support/service.ts";
import { claimFolder } from "../support/volumes.ts";
import { copyFlags, copyOf, logAtEnd, makeClaim, makeClaims, repositoryIn, ResticByHand } from "./scene.ts";

const run = promisify(execFile);
const mebibyte = 2 ** 20;
const slowly = { timeout: 120_000 };

describe.skipIf(inject("noRealNode") !== "")("upkeep of the repository of copies", () => {
  let cluster: RealCluster;
  let s3: S3Server;
  let service: TestService;
  let files: string;
  let data: string;

  beforeAll(async () => {
    cluster = await startRealCluster();
    s3 = await startS3Server(cluster.address);
    await makeClaims(cluster, s3);
    await makeClaim(cluster, "files", "Filesystem");
    files = await claimFolder(cluster, "cdp", "files");
    data = join(s3.bucketFolder, "copies/data");
    const upkeep = ["--copies-upkeep=3s", "--copies-check-parts=1"];
    service = await startService({ cluster, flags: [...copyFlags(repositoryIn(s3, "copies")), ...upkeep] });
  });

  afterAll(async () => {
    await service?.stop();
    await s3?.stop();
    await cluster?.stop();
  });

  async function backUp(): Promise<string> {
    const { backupCrn } = await service.api("createBackup");
    await service.waitForJob(backupCrn);
    expect(await logAtEnd(service, await copyOf(service, backupCrn))).toContain("job ended COMPLETED");
    return backupCrn;
  }

  async function packs(): Promise<readonly string[]> {
    const names = await readdir(data, { recursive: true });
    return names.filter((name) => /[0-9a-f]{64}$/.test(name));
  }

  async function stored(): Promise<number> {
    const sizes = await Promise.all((await packs()).map(async (name) => (await readFile(join(data, name))).length));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  async function warningsOf(backupCrn: string): Promise<string> {
    return JSON.stringify((await service.api("describeBackup", { backupCrn })).backup.warnings);
  }

  test("the space of a deleted backup's copies is given back", async () => {
    const write = (name: string) => run("sh", ["-c", 'head -c 20971520 /dev/urandom >"$1"', "sh", join(files, name)]);
    await write("first");
    const first = await backUp();
    await rm(join(files, "first"));
    await write("second");
    await backUp();
    const before = await stored();
    expect(before).toBeGreaterThan(38 * mebibyte);
    await service.api("deleteBackup", { backupCrn: first });
    await service.waitUntilDeleted(first);
    const isGivenBack = async () => (await stored()) < before - 19 * mebibyte;
    await eventually("the space is given back", isGivenBack, { ...slowly, look: () => service.output().slice(-3_000) });
    expect(await stored()).toBeGreaterThan(19 * mebibyte);
  });

  test("damaged data is found, and a warning of its backup until it is whole again", async () => {
    const backupCrn = await backUp();
    const restic = await ResticByHand.open(s3, repositoryIn(s3, "copies"), join(service.data, "encryption-keys"));
    expect(await restic.snapshots(`drs-backup:${uuidOf(backupCrn)}`)).toHaveLength(1);
    const names = await packs();
    const whole = new Map(
      await Promise.all(names.map(async (name) => [name, await readFile(join(data, name))] as const)),
    );
    const [largest = ""] = [...whole].sort(([, a], [, b]) => b.length - a.length).map(([name]) => name);
    const bytes = Buffer.from(whole.get(largest) ?? "");
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    await writeFile(join(data, largest), bytes);
    const look = () => service.output().slice(-3_000);
    const isSaid = async () => /the copy of claim files is damaged/.test(await warningsOf(backupCrn));
    await eventually("the damage is a warning of the backup", isSaid, { ...slowly, look });
    await writeFile(join(data, largest), whole.get(largest) ?? "");
    await eventually("it is none any more", async () => (await warningsOf(backupCrn)) === "[]", { ...slowly, look });
  });
});
