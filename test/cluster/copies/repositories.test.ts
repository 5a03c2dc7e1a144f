import { execFile } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type RealCluster, startRealCluster } from "../support/real-node.ts";
import { type RestServer, startRestServer } from "../support/rest-server.ts";
import { startService, type TestService } from "../support/service.ts";
import { claimFolder } from "../support/volumes.ts";
import { copyOf, logAtEnd, makeClaim, moverNamespace, pictureOf } from "./scene.ts";

const run = promisify(execFile);

describe.skipIf(inject("noRealNode") !== "")("repositories other than buckets", () => {
  let cluster: RealCluster;
  let rest: RestServer;

  beforeAll(async () => {
    cluster = await startRealCluster();
    rest = await startRestServer(cluster.address);
    for (const namespace of ["cdp", moverNamespace]) await cluster.kubectl("create", "namespace", namespace);
    await cluster.kubectl("label", "namespace", moverNamespace, "pod-security.kubernetes.io/enforce=baseline");
    await cluster.kubernetes.create(`/api/v1/namespaces/${moverNamespace}/secrets`, {
      metadata: { name: "rest" },
      stringData: rest.env,
    });
    await cluster.kubernetes.create(`/api/v1/namespaces/${moverNamespace}/persistentvolumeclaims`, {
      metadata: { name: "copies" },
      spec: { accessModes: ["ReadWriteMany"], resources: { requests: { storage: "64Mi" } } },
    });
    await makeClaim(cluster, "files", "Filesystem");
    const folder = await claimFolder(cluster, "cdp", "files");
    await run(join(import.meta.dirname, "odd-files.sh"), [folder]);
  });

  afterAll(async () => {
    await rest?.stop();
    await cluster?.stop();
  });

  function start(...flags: readonly string[]): Promise<TestService> {
    return startService({ cluster, flags: ["--copies=on", `--fill-namespace=${moverNamespace}`, ...flags] });
  }

  test.each([
    [
      "a claim",
      () => ["--copies-repository=claim:copies/of/cdp"],
      () => claimFolder(cluster, moverNamespace, "copies"),
    ],
    [
      "restic's REST server",
      () => [`--copies-repository=rest:${rest.url}/of/cdp`, "--copies-secret=rest"],
      () => Promise.resolve(rest.folder),
    ],
  ])("volumes are copied to %s, restored from it, and forgotten there", async (_name, flags, folder) => {
    const service = await start(...flags(), "--prefer=copy");
    try {
      const files = await claimFolder(cluster, "cdp", "files");
      const before = await pictureOf(files);
      const { backupCrn } = await service.api("createBackup");
      await service.waitForJob(backupCrn);
      expect(await logAtEnd(service, await copyOf(service, backupCrn))).toContain("job ended COMPLETED");
      const snapshots = join(await folder(), "of/cdp/snapshots");
      expect(await readdir(snapshots)).toHaveLength(1);
      await writeFile(join(files, "plain"), "since");
      const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
      await service.waitForJob(restoreCrn, { timeout: 240_000 });
      expect(await pictureOf(await claimFolder(cluster, "cdp", "files"))).toBe(before);
      await service.api("deleteBackup", { backupCrn });
      await service.waitUntilDeleted(backupCrn);
      expect(await readdir(snapshots)).toEqual([]);
      const jobs = await cluster.kubectl("-n", moverNamespace, "get", "jobs,pods", "--output=name");
      expect(jobs).toBe("");
    } finally {
      await service.stop();
    }
  });

  test.each([
    ["is not there", "missing", /secret "missing" not found/],
    ["lacks a key", "rest", /couldn't find key AZURE_ACCOUNT_NAME in Secret movers\/rest/],
  ])("a Secret that %s is named within minutes", async (_what, secret, reason) => {
    const service = await start("--copies-repository=azure:container:/copies", `--copies-secret=${secret}`);
    try {
      const { backupCrn } = await service.api("createBackup");
      await service.waitForJob(backupCrn);
      await logAtEnd(service, await copyOf(service, backupCrn));
      const { backup } = await service.api("describeBackup", { backupCrn });
      expect(JSON.stringify(backup).replaceAll('\\"', '"')).toMatch(reason);
    } finally {
      await service.stop();
    }
  });
});
