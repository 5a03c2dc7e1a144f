import { execFile } from "node:child_process";
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
  logAtEnd,
  makeClaim,
  makeClaims,
  moverNamespace,
  repositoryIn,
  ResticByHand,
} from "./scene.ts";

const run = promisify(execFile);
/** KiB a second, and so 10 s for what is copied. */
const slowly = "--copies-upload-limit=3000";

/** Whether a process copies a volume of the backup. */
async function isCopying(crn: string): Promise<boolean> {
  const { stdout } = await run("pgrep", ["-f", `^restic backup .*drs-backup:${uuidOf(crn)}`]).catch(() => ({
    stdout: "",
  }));
  return stdout !== "";
}

describe.skipIf(inject("noRealNode") !== "")("a copy in whose middle something is killed", () => {
  let cluster: RealCluster;
  let s3: S3Server;
  let service: TestService;
  let restic: ResticByHand;
  let files: string;
  let flags: readonly string[];

  beforeAll(async () => {
    cluster = await startRealCluster();
    s3 = await startS3Server(cluster.address);
    await makeClaims(cluster, s3);
    await makeClaim(cluster, "files", "Filesystem");
    files = await claimFolder(cluster, "cdp", "files");
    const repository = repositoryIn(s3, "copies");
    flags = [...copyFlags(repository), slowly];
    service = await startService({ cluster, flags });
    restic = await ResticByHand.open(s3, repository, join(service.data, "encryption-keys"));
  });

  afterAll(async () => {
    await service?.stop();
    await s3?.stop();
    await cluster?.stop();
  });

  /** Makes a backup of new data, and waits until restic copies it. */
  async function untilCopied(): Promise<{ readonly crn: string; readonly copy: string }> {
    await run("sh", ["-c", 'head -c 30000000 /dev/urandom >"$1"/large', "sh", files]);
    const { backupCrn: crn } = await service.api("createBackup");
    await service.waitForJob(crn);
    const copy = await copyOf(service, crn);
    await eventually("restic copies", () => isCopying(crn));
    return { crn, copy };
  }

  function locks(): Promise<string> {
    return restic.run("list", "locks", "--no-lock");
  }

  async function leftovers(): Promise<string> {
    const kinds = "jobs,pods,persistentvolumeclaims,networkpolicies,volumesnapshots";
    const here = await cluster.kubectl("-n", moverNamespace, "get", kinds, "--output=name");
    const secrets = await cluster.kubectl("-n", moverNamespace, "get", "secrets", "--output=name");
    return here + secrets.replace("secret/repository\n", "");
  }

  async function isCopied({ crn, copy }: { readonly crn: string; readonly copy: string }): Promise<void> {
    const log = await logAtEnd(service, copy);
    expect(log).toContain("job ended COMPLETED");
    expect(await restic.snapshots(`drs-backup:${uuidOf(crn)}`)).toHaveLength(1);
    await eventually("nothing of the copy is left", async () => (await leftovers()) === "", { look: leftovers });
  }

  test("it goes on when the server of the repository and the service are back, and leaves no lock", async () => {
    const backup = await untilCopied();
    const restart = await s3.crash();
    await service.kill("SIGKILL");
    await restart();
    service = await startService({ cluster, data: service.data, flags });
    await isCopied(backup);
    expect(await locks()).toBe("");
  });

  test("it goes on in another mover where one is deleted, which gives its lock back", async () => {
    const backup = await untilCopied();
    await cluster.kubectl("-n", moverNamespace, "delete", "pods", "--all");
    await isCopied(backup);
    expect(await locks()).toBe("");
  });
});
