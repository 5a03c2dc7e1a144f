import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { TestCluster } from "./support/cluster.ts";
import { createControlPlane } from "./support/control-plane.ts";
import { apiPath } from "./support/kubernetes-client.ts";
import { startService, type TestService } from "./support/service.ts";
import { sharedCluster } from "./support/shared-cluster.ts";
import { claimFolder } from "./support/volumes.ts";

// A command in a pod of the test cluster runs as a local process in the cluster's folder.
const toolbox = apiPath({ apiVersion: "v1", resource: "pods" }, "cdp", "toolbox");
let cluster: TestCluster;
let service: TestService;
/** The volume that the toolbox mounts. */
let uploads: string;

beforeAll(async () => {
  cluster = await sharedCluster();
  service = await startService({ cluster });
  await createControlPlane(cluster);
  uploads = await claimFolder(cluster, "cdp", "uploads");
});

beforeEach(async () => {
  await rm(join(cluster.folder, "hooks.log"), { force: true });
});

afterAll(async () => service?.stop());

test("the pre hooks run before the snapshots, the post hooks after them", async () => {
  await annotate({
    "pre.hook.backup.velero.io/command": `["/bin/sh", "-c", "echo frozen > ${uploads}/frozen"]`,
    "post.hook.backup.velero.io/command": `["/bin/rm", "${uploads}/frozen"]`,
  });
  const snapshots = await newSnapshots(async () => {
    const { backupCrn } = await service.api("createBackup");
    await service.waitForJob(backupCrn);
  });

  const frozen = await Promise.all(snapshots.map((name) => contentOf(join(snapshotsFolder(), name, "frozen"))));
  expect(frozen.filter((content) => content === "frozen\n")).toHaveLength(1);
  expect(await contentOf(join(uploads, "frozen"))).toBeUndefined();
  expect(await contentOf(join(cluster.folder, "hooks.log"))).toBe("pre cdp-embedded-db\npost cdp-embedded-db\n");
});

test("a failing hook that says Continue is a warning", async () => {
  await annotate({
    "pre.hook.backup.velero.io/command": '["/bin/sh", "-c", "echo no space left >&2; exit 3"]',
    "pre.hook.backup.velero.io/on-error": "Continue",
  });
  const { backupCrn } = await service.api("createBackup");
  const backup = await service.waitForJob(backupCrn, { state: "PARTIALLY_FAILED" });
  expect(backup.errors).toEqual([]);
  expect(JSON.stringify(backup.warnings)).toContain("toolbox");
});

test("a failing hook that says Fail ends the backup, thaws what was frozen and leaves no snapshot", async () => {
  await annotate({
    "pre.hook.backup.velero.io/command": '["/bin/false"]',
    "pre.hook.backup.velero.io/on-error": "Fail",
  });
  const snapshots = await newSnapshots(async () => {
    const { backupCrn } = await service.api("createBackup");
    const backup = await service.waitForJob(backupCrn, { state: "FAILED" });
    expect(JSON.stringify(backup.errors)).toContain("toolbox");
  });
  expect(snapshots).toEqual([]);
  const log = (await contentOf(join(cluster.folder, "hooks.log"))) ?? "";
  expect(log.match(/pre/g)?.length ?? 0).toBe(log.match(/post/g)?.length ?? 0);
});

test("a post hook that fails is run again until it succeeds", async () => {
  const tries = join(cluster.folder, "tries");
  await rm(tries, { force: true });
  await annotate({
    "pre.hook.backup.velero.io/command": `["/bin/sh", "-c", "echo frozen > ${uploads}/frozen"]`,
    "post.hook.backup.velero.io/command": `["/bin/sh", "-c", "echo >> ${tries}; [ $(wc -l < ${tries}) -gt 2 ] && rm ${uploads}/frozen"]`,
  });
  const { backupCrn } = await service.api("createBackup");
  const { warnings, errors } = await service.waitForJob(backupCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await contentOf(tries)).toBe("\n\n\n");
  expect(await contentOf(join(uploads, "frozen"))).toBeUndefined();
});

test("a post hook that fails permanently is reported with the command to run by hand", async () => {
  await service.stop();
  service = await startService({ cluster, flags: ["--hook-timeout=2s"] });
  await annotate({
    "post.hook.backup.velero.io/command": `["/bin/sh", "-c", "echo still frozen; exit 3"]`,
    "post.hook.backup.velero.io/timeout": "10s",
  });
  const { backupCrn } = await service.api("createBackup");
  const { warnings, errors } = await service.waitForJob(backupCrn, { state: "PARTIALLY_FAILED" });
  expect(errors).toEqual([]);
  expect(warnings).toHaveLength(1);
  const text = JSON.stringify(warnings);
  expect(text).toMatch(/post hook of pod toolbox failed: .*still frozen/);
  expect(text).toContain("kubectl exec -n cdp toolbox -c ");
  expect(text).toContain(" -- /bin/sh -c 'echo still frozen; exit 3'");
});

test("a hook that takes longer than its time limit has failed, and is reported as one that may still run and hold its application", async () => {
  await annotate({
    "pre.hook.backup.velero.io/command": '["/bin/sleep", "60"]',
    "pre.hook.backup.velero.io/timeout": "1s",
    "pre.hook.backup.velero.io/on-error": "Continue",
    "post.hook.backup.velero.io/command": '["/bin/true"]',
  });
  const { backupCrn } = await service.api("createBackup");
  const backup = await service.waitForJob(backupCrn, { state: "PARTIALLY_FAILED", timeout: 40_000 });
  const warnings = JSON.stringify(backup.warnings);
  expect(warnings).toMatch(/pre hook of pod toolbox failed: .* did not end within 1 s, and may still run/);
  expect(warnings).toMatch(
    /pre hook of pod toolbox \(\/bin\/sleep 60\) was not seen to end and may still run: .*kubectl exec -n cdp toolbox/,
  );
});

/** The toolbox's hook annotations, and no others. */
async function annotate(annotations: Record<string, string>): Promise<void> {
  const { metadata } = await cluster.kubernetes.get(toolbox);
  const earlier = Object.keys(metadata.annotations ?? {}).filter((name) => name.includes(".hook.backup.velero.io/"));
  const removed = Object.fromEntries(earlier.map((name) => [name, null]));
  await cluster.kubernetes.patch(toolbox, { metadata: { annotations: { ...removed, ...annotations } } });
}

async function newSnapshots(during: () => Promise<void>): Promise<readonly string[]> {
  const before = new Set(await readdir(snapshotsFolder()));
  await during();
  const after = await readdir(snapshotsFolder());
  return after.filter((name) => !before.has(name) && !name.endsWith(".source"));
}

function snapshotsFolder(): string {
  return join(cluster.storageFolder, "snapshots");
}

/** Undefined when there is no such file. */
async function contentOf(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}
