import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type RealCluster, startRealCluster } from "../support/real-node.ts";
import { type S3Server, startS3Server } from "../support/s3-server.ts";
import { startService, type TestService } from "../support/service.ts";
import { claimFolder } from "../support/volumes.ts";
import {
  copyFlags,
  copyOf,
  logAtEnd,
  makeClaim,
  makeClaims,
  moverNamespace,
  pictureOf,
  repositoryIn,
} from "./scene.ts";

const run = promisify(execFile);

describe.skipIf(inject("noRealNode") !== "")("volumes whose snapshots are lost", () => {
  let cluster: RealCluster;
  let s3: S3Server;
  let service: TestService;
  let files: string;
  let device: Buffer;
  let backupCrn: string;

  beforeAll(async () => {
    cluster = await startRealCluster();
    s3 = await startS3Server(cluster.address);
    await makeClaims(cluster, s3);
    await makeClaim(cluster, "files", "Filesystem");
    await makeClaim(cluster, "disk", "Block");
    const folder = await claimFolder(cluster, "cdp", "files");
    await run(join(import.meta.dirname, "odd-files.sh"), [folder]);
    await run("sh", ["-c", 'chown 1001:2002 "$1" && chmod 2750 "$1"', "sh", folder]);
    await writeFile(await claimFolder(cluster, "cdp", "disk"), "at the start of the device", { flag: "r+" });
    files = await pictureOf(folder);
    device = await readFile(await claimFolder(cluster, "cdp", "disk"));
    service = await startService({
      cluster,
      flags: [...s3.flags("archives"), ...copyFlags(repositoryIn(s3, "copies"))],
      env: s3.env,
    });
    ({ backupCrn } = await service.api("createBackup"));
    await service.waitForJob(backupCrn);
    const log = await logAtEnd(service, await copyOf(service, backupCrn));
    if (!log.includes("job ended COMPLETED")) throw new Error(`the volumes were not copied:\n${log}`);
    await rm(join(cluster.storageFolder, "snapshots"), { recursive: true });
    await writeFile(join(folder, "plain"), "overwritten");
  });

  afterAll(async () => {
    await service?.stop();
    await s3?.stop();
    await cluster?.stop();
  });

  async function isAsItWas(): Promise<void> {
    expect(await pictureOf(await claimFolder(cluster, "cdp", "files"))).toBe(files);
    expect((await readFile(await claimFolder(cluster, "cdp", "disk"))).equals(device)).toBe(true);
    const kinds = "jobs,pods,persistentvolumeclaims,networkpolicies";
    expect(await cluster.kubectl("-n", moverNamespace, "get", kinds, "--output=name")).toBe("");
  }

  /** What a restore says that fails with the repository as it is, and has made nothing. */
  async function refusal(): Promise<string> {
    const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
    const { errors } = await service.waitForJob(restoreCrn, { state: "FAILED", timeout: 240_000 });
    const { logs } = await service.api("getLogs", { crn: restoreCrn });
    expect(logs).toContain("nothing in the namespaces was touched");
    const volumes = await cluster.kubectl("get", "persistentvolumes", "--output=name");
    expect(volumes.trim().split("\n")).toHaveLength(2);
    return JSON.stringify(errors);
  }

  test.each(["data", "index"])(
    "a repository that has lost files of %s fails a restore, which names the claims",
    async (kind) => {
      const folder = join(s3.bucketFolder, "copies", kind);
      await rename(folder, `${folder}-lost`);
      await mkdir(folder);
      const said = await refusal();
      expect(said).toMatch(/cannot be filled from their copies.*cdp\/disk: .*cdp\/files: /);
      await rm(folder, { recursive: true });
      await rename(`${folder}-lost`, folder);
    },
  );

  test("a repository with a flipped byte fails a restore before anything is touched", async () => {
    const packs = join(s3.bucketFolder, "copies/data");
    const names = (await readdir(packs, { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name));
    const whole = new Map(
      await Promise.all(names.map(async (name) => [name, await readFile(join(packs, name))] as const)),
    );
    for (const [name, bytes] of whole) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(100) ^ 1, 100);
      await writeFile(join(packs, name), damaged);
    }
    const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
    const { errors } = await service.waitForJob(restoreCrn, { state: "FAILED", timeout: 240_000 });
    expect(JSON.stringify(errors)).toMatch(/cannot be filled from their copies.*cdp\/files/);
    const { logs } = await service.api("getLogs", { crn: restoreCrn });
    expect(logs).toContain("nothing in the namespaces was touched");
    for (const [name, bytes] of whole) await writeFile(join(packs, name), bytes);
  });

  test("they are restored from their copies as they were, with owners, modes, links, holes, attributes and devices' bytes", async () => {
    const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
    expect(await service.waitForJob(restoreCrn, { timeout: 240_000 })).toMatchObject({ warnings: [], errors: [] });
    await isAsItWas();
  });
});
