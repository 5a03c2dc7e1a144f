import { linkSync, readdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { differences } from "../../../demo/differences.ts";
import type { Picture } from "../../../demo/picture.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const api = "/apis/apps/v1/namespaces/cdp/deployments/cdp-api";
const database = "data-cdp-embedded-db-0";
const isStarting = (log: string) => log.includes("STARTING_APPS phase started") && !log.includes("rolling back");

/** The differences, but for the provisioner's note on a claim: a claim that is given a volume is not provisioned. */
const left = (before: Picture, after: Picture) =>
  differences(before, after).filter((line) => !/^PersistentVolumeClaim \S+: metadata.annotations differs$/.test(line));
const forbidden = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } };

/** Starts a restore that fails in STARTING_APPS: a deployment may not be scaled until the restore rolls back. */
async function startFailing(scene: Scene, backupCrn: string): Promise<string> {
  let crn = "";
  scene.simulator.intercept(({ method, path }) =>
    method === "PATCH" && path === api && isStarting(scene.engine.getLogs(crn)) ? forbidden : undefined,
  );
  crn = await scene.startRestore(backupCrn);
  return crn;
}

test("a restore whose applications do not start rolls back to objects, replica counts and bytes as they were", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 3_000 } });
  const { volumes } = scene.simulator;
  const backup = await scene.backup();
  await scene.change(api, { spec: { replicas: 2 } });
  volumes.write("cdp", database, "pgdata/PG_VERSION", "18\n");
  await scene.remove("/apis/apps/v1/namespaces/cdp/deployments/cdp-console");
  await scene.create("/api/v1/namespaces/cdp/configmaps", { metadata: { name: "later" }, data: { a: "b" } });
  const before = await scene.picture();
  const handles = volumes.volumeHandles();
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("RESTORING_PVC phase finished"));
  await scene.remove("/api/v1/namespaces/cdp/persistentvolumeclaims/cdp-artifacts");
  const restore = await scene.restored(crn);
  expect(restore.state).toBe("FAILED");
  expect(texts(restore.errors)).toEqual([
    expect.stringContaining("did not come up within 3 s: Deployment cdp/cdp-environments"),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  expect(scene.engine.getLogs(crn)).toContain("STARTING_APPS waiting for Deployment cdp-environments");
  const [, log = ""] = scene.engine.getLogs(crn).split("rolling back to the state before this restore\n");
  const steps = log.split("\n").filter((line) => / INFO +STARTING_APPS /.test(line));
  expect(steps.length).toBeGreaterThan(5);
  for (const step of steps) expect(step).toContain("STARTING_APPS rolling back: ");
  expect(left(before, await scene.picture())).toEqual([]);
  expect(volumes.volumeHandles()).toEqual(handles);
  expect(scene.archives("safety")).toEqual([]);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents")).toEqual([]);
  expect(volumes.snapshotHandles()).toHaveLength(3);
  const again = await scene.restore(backup.crn);
  expect(texts(again.errors)).toEqual([]);
  expect(volumes.read("cdp", database, "pgdata/PG_VERSION").toString()).toBe("17\n");
});

test("the data of claims that go with their owners is there again after a restore that failed", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const environment = await scene.get("/apis/platform.cdp.example/v1/namespaces/cdp/environments/staging");
  const ownerReferences = [
    { apiVersion: environment.apiVersion, kind: "Environment", name: "staging", uid: environment.metadata.uid },
  ];
  await scene.change("/api/v1/namespaces/cdp/persistentvolumeclaims/cdp-artifacts", { metadata: { ownerReferences } });
  const backup = await scene.backup();
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "newer", "than the backup");
  const before = await scene.picture();
  await scene.restored(await startFailing(scene, backup.crn));
  expect(left(before, await scene.picture())).toEqual([]);
});

test("a claim that is still being deleted when a restore rolls back is waited for, and comes back with its data", async () => {
  const scene = await Scene.open({ limits: { podsStopTimeout: 1_500 } });
  const claim = "/api/v1/namespaces/cdp/persistentvolumeclaims/cdp-artifacts";
  const backup = await scene.backup();
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "newer", "than the backup");
  await scene.change(claim, { metadata: { finalizers: ["kubernetes.io/in-use", "kubernetes.io/pvc-protection"] } });
  const before = await scene.picture();
  let crn = "";
  let isAskedAgain = false;
  scene.simulator.intercept(({ method, path }) => {
    isAskedAgain ||= method === "DELETE" && path === claim && scene.engine.getLogs(crn).includes("rolling back");
    return undefined;
  });
  crn = await scene.startRestore(backup.crn);
  await scene.until(() => isAskedAgain || scene.engine.describeRestore(crn).phase === "FINISHED");
  expect((await scene.get(claim)).metadata).toHaveProperty("deletionTimestamp");
  await scene.change(claim, { metadata: { finalizers: null } });
  const { errors } = await scene.restored(crn);
  expect(texts(errors)).toEqual([
    expect.stringContaining("claims of cdp are still there 1.5 s after their deletion: cdp-artifacts"),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  expect(left(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.read("cdp", "cdp-artifacts", "newer").toString()).toBe("than the backup");
});

const artifacts = "/api/v1/namespaces/cdp/persistentvolumeclaims/cdp-artifacts";

/** Begins a restore that rolls back while one of the claims that it has created is held. */
async function startHeld(rollBackTimeout: number) {
  const scene = await Scene.open({ maxRefusedObjects: 0, rollBackTimeout, limits: { podsStopTimeout: 500 } });
  const backup = await scene.backup();
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "newer", "than the backup");
  await scene.change("/api/v1/namespaces/cdp/configmaps/cdp-api-config", { data: { newer: "than the backup" } });
  const before = await scene.picture();
  let crn = "";
  let holding: Promise<unknown> | undefined;
  const finalizers = ["kubernetes.io/in-use", "kubernetes.io/pvc-protection"];
  scene.simulator.intercept(async ({ method, path }) => {
    if (method !== "PATCH" || path !== api || !isStarting(scene.engine.getLogs(crn))) return undefined;
    await (holding ??= scene.change(artifacts, { metadata: { finalizers } }));
    return forbidden;
  });
  crn = await scene.startRestore(backup.crn);
  return { scene, before, crn };
}

test("a claim of the restore's own that is held for a while keeps nothing from rolling back", async () => {
  const { scene, before, crn } = await startHeld(60_000);
  await scene.until(() => scene.engine.getLogs(crn).includes("claims could not be put back"));
  await scene.change(artifacts, { metadata: { finalizers: null } });
  const { errors, state } = await scene.restored(crn);
  expect(state).toBe("FAILED");
  expect(texts(errors).at(-1)).toBe("the restore failed and was rolled back: the control plane is as before");
  expect(left(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.read("cdp", "cdp-artifacts", "newer").toString()).toBe("than the backup");
});

test("a claim of the restore's own that is held permanently keeps nothing else from rolling back", async () => {
  const { scene, before, crn } = await startHeld(0);
  const { errors, state } = await scene.restored(crn);
  expect(state).toBe("FAILED");
  const [volume = ""] = /pvc-[-0-9a-f]+(?= of cdp\/cdp-artifacts)/.exec(texts(errors).at(-1) ?? "") ?? [];
  expect(texts(errors)).toContainEqual(
    `rolling back: claims could not be put back: PersistentVolumeClaim cdp/cdp-artifacts, whose volume is ${volume}: one is still there after its deletion, held by kubernetes.io/in-use`,
  );
  expect(scene.archives("safety")).toHaveLength(1);
  const differences = left(before, await scene.picture());
  expect(differences.filter((line) => !/^PersistentVolume|^cdp\/cdp-artifacts: newer/.test(line))).toEqual([]);
});

test("an application that does not come up holds up no other one when a restore rolls back", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 1 }, controllerDelay: 50 });
  const backup = await scene.backup();
  await scene.change(api, { spec: { replicas: 2 } });
  const before = await scene.picture();
  const { errors, state } = await scene.restore(backup.crn);
  expect(state).toBe("FAILED");
  expect(texts(errors)).toContainEqual(
    expect.stringMatching(/^rolling back: the (embedded database|vault|applications) did not come up/),
  );
  expect(texts(errors).at(-1)).toBe(
    "the restore failed and was rolled back: the control plane is as before, but not all of its applications are up",
  );
  await scene.until(async () => left(before, await scene.picture()).length === 0);
});

test("a service that dies while a restore rolls back loses nothing", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  const before = await scene.picture();
  const crn = await startFailing(scene, backup.crn);
  await scene.until(() =>
    /rolling back[^]*restored \d+ serviceaccounts[^]*restored \d+ services/.test(scene.engine.getLogs(crn)),
  );
  await scene.restart();
  const restore = await scene.restored(crn);
  expect(texts(restore.errors).at(-1)).toBe("the restore failed and was rolled back: the control plane is as before");
  expect(left(before, await scene.picture())).toEqual([]);
});

test("a rollback that a policy forbids permanently is abandoned, and says where everything lies", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  let crn = "";
  let refusals = 0;
  scene.simulator.intercept(({ method, path }) => {
    const log = scene.engine.getLogs(crn);
    const isBack = log.includes("rolling back") && path.includes("/persistentvolumes/");
    if (method !== "PATCH" || !(isBack || (isStarting(log) && path === api))) return undefined;
    if (isBack) refusals++;
    return forbidden;
  });
  crn = await scene.startRestore(backup.crn);
  const { errors, state } = await scene.restored(crn);
  expect(state).toBe("FAILED");
  expect(refusals).toBeGreaterThan(1);
  expect(texts(errors).at(-1)).toMatch(
    /^the rollback failed, too: PATCH .* not now\. The objects that were there before are in .* under safety\/.*persistent volumes pvc-/,
  );
  expect(scene.archives("safety")).toHaveLength(1);
});

test("a storage that gives errors of its device for a while, a restore waits for, and for the rollback as long as it takes", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const before = await scene.picture();
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("RESTORING_OBJECTS phase started"));
  const fix = breakFiles(join(scene.folder, "archives"));
  await scene.until(() => scene.engine.getLogs(crn).includes(" attempt 5: "));
  fix();
  const restore = await scene.restored(crn);
  expect(scene.engine.getLogs(crn)).toMatch(/attempt 5: .* cannot be reached at the moment; trying again in/);
  expect(texts(restore.errors)).toEqual([
    expect.stringContaining("cannot be reached at the moment"),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  expect(left(before, await scene.picture())).toEqual([]);
});

/** Makes every file below a folder exist and give EIO to its readers; returns the fix. */
function breakFiles(folder: string): () => void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of files) {
    linkSync(file, `${file}.whole`);
    symlinkSync("/proc/self/mem", `${file}.broken`);
    renameSync(`${file}.broken`, file);
  }
  return () => files.forEach((file) => renameSync(`${file}.whole`, file));
}

test("one replaced volume that is refused its own policy keeps no other one, and is the only one that is named", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const [refused = "", ...others] = await scene.names("/api/v1/persistentvolumes");
  scene.simulator.intercept(({ method, path, body, query }) =>
    method === "PATCH" &&
    path.endsWith(`/${refused}`) &&
    body.includes('ReclaimPolicy":"Delete"') &&
    !query.has("dryRun")
      ? forbidden
      : undefined,
  );
  const { state, errors } = await scene.restore(backup.crn);
  expect(state).toBe("FAILED");
  expect(texts(errors).at(-1)).toBe(
    `everything was restored, but some replaced volumes could not be removed: ${refused}`,
  );
  await scene.simulator.settled();
  const left = await scene.names("/api/v1/persistentvolumes");
  expect([refused, ...others].filter((name) => left.includes(name))).toEqual([refused]);
});

test("a restore whose clean-up fails leaves the restored control plane alone", async () => {
  const scene = await Scene.open();
  const before = await scene.picture();
  const backup = await scene.backup();
  const replaced = await scene.names("/api/v1/persistentvolumes");
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("RESTORING_PVC phase started"));
  scene.simulator.intercept(({ method, path }) =>
    method === "PATCH" && replaced.some((name) => path.endsWith(`/${name}`)) ? forbidden : undefined,
  );
  await scene.restored(crn);
  expect(scene.engine.getLogs(crn)).not.toContain("rolling back");
  expect(left(before, await scene.picture()).filter((line) => !line.startsWith("PersistentVolume of"))).toEqual([]);
});

test("a snapshot object that does not go when all is restored is a warning, and nothing else of it stays", async () => {
  const scene = await Scene.open({ limits: { snapshotTimeout: 1_000 } });
  const backup = await scene.backup();
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("RESTORING_OBJECTS phase started"));
  const group = "/apis/snapshot.storage.k8s.io/v1";
  const snapshots = `${group}/namespaces/vault-system/volumesnapshots`;
  const snapshot = `${snapshots}/${(await scene.names(snapshots))[0] ?? ""}`;
  const { metadata } = await scene.get(snapshot);
  const finalizers = [...((metadata["finalizers"] ?? []) as readonly string[]), "example.com/held"];
  await scene.change(snapshot, { metadata: { finalizers } });
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings).at(-1)).toMatch(
    new RegExp(`VolumeSnapshot vault-system/${metadata.name} .*example.com/held.* was still there`),
  );
  expect(restore.state).toBe("PARTIALLY_FAILED");
  expect(await scene.names(`${group}/volumesnapshots`)).toEqual([metadata.name]);
  expect(await scene.names(`${group}/volumesnapshotcontents`)).toEqual([metadata.name]);
  expect(scene.archives("safety")).toEqual([]);
});

test("a claim that its application recreates when it is up does not undo the restore", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  let crn = "";
  const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
  const group = "/apis/snapshot.storage.k8s.io/v1";
  const own = await scene.get(`${claims}/${database}`);
  scene.simulator.intercept(({ method, path }) => {
    if (method !== "GET" || path !== claims || !/the applications: \d+ workloads/.test(scene.engine.getLogs(crn)))
      return undefined;
    return { status: 200, body: { kind: "List", metadata: { resourceVersion: "1" }, items: [own] } };
  });
  crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(scene.engine.getLogs(crn)).not.toContain("rolling back");
  expect(await scene.names(`${group}/volumesnapshots`)).toEqual([]);
});

test("a claim that somebody else is faster to make is recreated from its snapshot", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const saved = await scene.picture();
  const crn = await restoreBesideAnother(scene, backup.crn, 1);
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(scene.engine.getLogs(crn)).toContain(
    `created by others during this restore, and deleted: PersistentVolumeClaim cdp/${database} (made by `,
  );
  expect(left(saved, await scene.picture())).toEqual([]);
});

test("a claim that somebody else makes again and again fails the restore, which rolls back", async () => {
  const scene = await Scene.open({ limits: { podsStopTimeout: 1_000 } });
  const before = await scene.picture();
  const backup = await scene.backup();
  const crn = await restoreBesideAnother(scene, backup.crn, Number.POSITIVE_INFINITY);
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringContaining(
      `claims have been created by others during this restore for 1 s: PersistentVolumeClaim cdp/${database} (`,
    ),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  // The volumes of the other claims go after these.
  await vi.waitFor(async () => expect(left(before, await scene.picture())).toEqual([]), { timeout: 20_000 });
});

test("a claim made by somebody else while the restore ran does not take the former one's place when it rolls back", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  const before = await scene.picture();
  let crn = "";
  let volumeName = "";
  const make = async () => {
    await scene.remove(`${claimsPath}/${database}`);
    await scene.until(async () => !(await scene.names(claimsPath)).includes(database));
    await scene.create(claimsPath, emptyClaim);
    await scene.until(async () => {
      const { status } = await scene.get(`${claimsPath}/${database}`);
      return (status as { phase?: string } | undefined)?.phase === "Bound";
    });
    ({ volumeName } = (await scene.get(`${claimsPath}/${database}`))["spec"] as { volumeName: string });
  };
  let making: Promise<void> | undefined;
  scene.simulator.intercept(async ({ method, path }) => {
    const log = scene.engine.getLogs(crn);
    if (log.includes("DELETING_OBJECTS_PVC phase started") && path.endsWith("/horizontalpodautoscalers"))
      await (making ??= make());
    return method === "PATCH" && path === api && isStarting(log) ? forbidden : undefined;
  });
  crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  expect(texts(restore.errors).at(-1)).toBe("the restore failed and was rolled back: the control plane is as before");
  // What it holds came while the restore ran, and is nowhere else.
  const isOfDatabase = (line: string) => line.startsWith(`PersistentVolume of cdp/${database}`);
  expect(left(before, await scene.picture()).filter((line) => !isOfDatabase(line))).toEqual([]);
  expect(await scene.names("/api/v1/persistentvolumes")).toContain(volumeName);
  expect(texts(restore.warnings)).toContainEqual(
    `cdp: rolling back: volume ${volumeName} does not belong to claim ${database}: it is kept by the policy Retain, see "Freeing what a restore has replaced" in docs/operations.md`,
  );
});

const claimsPath = "/api/v1/namespaces/cdp/persistentvolumeclaims";
const emptyClaim = {
  metadata: { name: database },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
};

/** Restores while somebody makes the database's claim so many times, each before the restore can. */
async function restoreBesideAnother(scene: Scene, backupCrn: string, times: number): Promise<string> {
  let isGone = false;
  let made = 0;
  let making: Promise<unknown> | undefined;
  scene.simulator.intercept(async ({ method, path }) => {
    if (method === "DELETE" && path === `${claimsPath}/${database}`) isGone = true;
    if (method !== "POST" || !path.endsWith("/namespaces/cdp/volumesnapshots")) return undefined;
    if (!isGone || made === times) {
      await making;
      return undefined;
    }
    made++;
    isGone = false;
    await (making = scene.create(claimsPath, emptyClaim));
    return { status: 503 }; // so that the volume is made, too, before the restore goes on
  });
  return scene.startRestore(backupCrn);
}
