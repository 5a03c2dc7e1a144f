import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { gate } from "../jobs/small-jobs.ts";
import { noAnswer, phasesIn, Scene, texts } from "../simulated-control-plane.ts";

const snapshots = "/apis/snapshot.storage.k8s.io/v1/volumesnapshots";
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
/** As the snapshot controller holds a claim, which the simulated one does not. */
const held = { metadata: { finalizers: ["snapshot.storage.kubernetes.io/pvc-as-source-protection"] } };
const unavailable = { status: 500, body: { kind: "Status", code: 500, message: "etcd is away" } };

async function expectNothingLeft(scene: Scene): Promise<void> {
  await scene.simulator.settled();
  expect(scene.simulator.volumes.snapshotHandles()).toEqual([]);
  expect(await scene.names(snapshots)).toEqual([]);
  expect(await scene.names(contents)).toEqual([]);
  expect(scene.archives("backups")).toEqual([]);
}

async function finalizersOf(scene: Scene, claim: string): Promise<unknown> {
  const { metadata } = await scene.get(`${claims}/${claim}`);
  return metadata["finalizers"] ?? [];
}

test("a backup goes through its phases, touches nothing, and leaves an archive and the snapshots in the storage", async () => {
  const scene = await Scene.open();
  const before = await scene.versions();
  const backup = await scene.backup();
  expect(backup).toMatchObject({
    state: "COMPLETED",
    phase: "FINISHED",
    includedNamespaces: ["cdp", "vault-system"],
    warnings: [],
    errors: [],
  });
  const log = scene.engine.getLogs(backup.crn);
  expect(phasesIn(log)).toEqual(["PRE_VALIDATION", "SAVING_OBJECTS", "CREATING_SNAPSHOTS"]);
  expect(log).toContain("3 volumes to snapshot");
  expect(log).toMatch(/not saved, as the cluster makes them itself: .*\d+ configmaps, .*16 pods/);
  expect(log).not.toMatch(/sample-not-a-password|c2FtcGxlLW5vdC1hLXBhc3N3b3Jk/);
  expect(scene.archives("backups")).toEqual([backup.crn.slice(-36)]);
  expect(await scene.versions()).toEqual(before);
  expect(await scene.names(snapshots)).toEqual([]);
  expect(await scene.names(contents)).toEqual([]);
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(3);
});

test("a backup of the vault alone holds the vault's namespace", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup("vault-system");
  expect(backup).toMatchObject({ state: "COMPLETED", includedNamespaces: ["vault-system"] });
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(1);
});

test("further namespaces come along where they exist", async () => {
  const scene = await Scene.open({ furtherNamespaces: ["default", "not-there"] });
  expect(await scene.engine.listBackupEntities()).toEqual(["cdp", "vault-system", "default"]);
  expect((await scene.backup()).includedNamespaces).toEqual(["cdp", "vault-system", "default"]);
});

test("an item that is no entity is refused with those that exist, and an unknown one while the cluster is away is UNAVAILABLE", async () => {
  const scene = await Scene.open();
  await expect(scene.startBackup("kube-system")).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: 'item "kube-system" is not a backup entity: there are cdp, vault-system',
  });
  scene.simulator.intercept(() => unavailable);
  await expect(scene.startBackup("vault-system")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(scene.engine.listBackups({ backupName: "", jobStates: [], pageSize: 0, startingToken: "" }).items).toEqual([]);
});

test("a backup of a control plane that is not there fails and says so", async () => {
  const scene = await Scene.open({ sample: false });
  const backup = await scene.backup();
  expect(backup.state).toBe("FAILED");
  expect(texts(backup.errors)).toEqual(["namespace cdp does not exist in the cluster: nothing to back up"]);
  await expectNothingLeft(scene);
});

test("a backup whose rights do not suffice names each that is missing", async () => {
  const scene = await Scene.open({
    isAllowed: ({ verb, resource }) =>
      verb !== "*" && !(verb === "list" && resource === "secrets") && !(verb === "get" && resource === "clusterroles"),
  });
  const backup = await scene.backup();
  expect(backup.state).toBe("FAILED");
  expect(texts(backup.errors)).toEqual([
    "the service's account lacks rights that a backup needs: get clusterroles.rbac.authorization.k8s.io; list secrets in cdp; list secrets in vault-system",
  ]);
  await expectNothingLeft(scene);
});

test("a backup that fails while it takes snapshots leaves no snapshot, no archive and no claim held", async () => {
  const scene = await Scene.open({ limits: { snapshotTimeout: 400 } });
  let refused = 0;
  scene.simulator.intercept(({ method, path }) =>
    method === "POST" &&
    path === `/apis/snapshot.storage.k8s.io/v1/namespaces/vault-system/volumesnapshots` &&
    refused++ === 0
      ? { status: 403, body: { kind: "Status", code: 403, reason: "Forbidden", message: "exceeded quota" } }
      : undefined,
  );
  const [claim = ""] = await scene.names(claims);
  await scene.change(`${claims}/${claim}`, held);
  const backup = await scene.backup();
  expect(backup.state).toBe("FAILED");
  expect(texts(backup.errors)).toEqual([expect.stringContaining("exceeded quota")]);
  expect(scene.engine.getLogs(backup.crn)).toContain("saved ");
  await expectNothingLeft(scene);
  expect(await finalizersOf(scene, claim)).toEqual([]);
});

test("a backup leaves no claim held for its snapshots, though the snapshot controller forgets it", async () => {
  const scene = await Scene.open();
  const [free, inUse] = (await scene.names(claims)) as [string, string];
  for (const name of [free, inUse]) await scene.change(`${claims}/${name}`, held);
  await scene.create("/apis/snapshot.storage.k8s.io/v1/namespaces/cdp/volumesnapshots", {
    metadata: { name: "never" },
    spec: { volumeSnapshotClassName: "none", source: { persistentVolumeClaimName: inUse } },
  });
  expect(await scene.backup()).toMatchObject({ state: "COMPLETED" });
  expect(await finalizersOf(scene, free)).toEqual([]);
  expect(await finalizersOf(scene, inUse)).toEqual(held.metadata.finalizers);
});

test("a backup that fails waits longer for its snapshots to go than it has waited for them to be ready", async () => {
  const snapshotTimeout = 400;
  const scene = await Scene.open({ limits: { snapshotTimeout } });
  const group = "/apis/snapshot.storage.k8s.io/v1/namespaces";
  const over = gate();
  scene.simulator.intercept(async ({ method, path }) => {
    if (method !== "POST" || path !== `${group}/vault-system/volumesnapshots`) return undefined;
    await over.opened;
    return { status: 403, body: { kind: "Status", code: 403, reason: "Forbidden", message: "exceeded quota" } };
  });
  const crn = await scene.startBackup();
  const snapshots = `${group}/cdp/volumesnapshots`;
  await scene.until(async () => (await scene.names(snapshots)).length > 0);
  const [name = ""] = await scene.names(snapshots);
  const snapshot = `${snapshots}/${name}`;
  const finalizers = async () => ((await scene.get(snapshot)).metadata["finalizers"] ?? []) as readonly string[];
  const held = "example.com/held";
  await scene.change(snapshot, { metadata: { finalizers: [...(await finalizers()), held] } });
  over.open();
  await scene.until(async () => (await scene.get(snapshot)).metadata.deletionTimestamp !== undefined);
  const deletion = Date.now();
  await scene.until(() => Date.now() > deletion + 2 * snapshotTimeout);
  const others = (await finalizers()).filter((finalizer) => finalizer !== held);
  await scene.change(snapshot, { metadata: { finalizers: others } });
  await scene.until(() => scene.engine.describeBackup(crn).state === "FAILED");
  expect(texts(scene.engine.describeBackup(crn).errors)).toEqual([expect.stringContaining("exceeded quota")]);
  await expectNothingLeft(scene);
});

test("a backup that fails while it takes its snapshots out of the cluster leaves no object of them", async () => {
  const scene = await Scene.open({ limits: { snapshotTimeout: 1_000 } });
  const group = "/apis/snapshot.storage.k8s.io/v1/namespaces/vault-system/volumesnapshots";
  const held = "example.com/held";
  const isHeld = gate();
  scene.simulator.intercept(async ({ method, path }) => {
    if (method === "DELETE" && path.startsWith(group)) await isHeld.opened;
    return undefined;
  });
  const crn = await scene.startBackup();
  await scene.until(async () => (await scene.names(group)).length > 0);
  const snapshot = `${group}/${(await scene.names(group))[0] ?? ""}`;
  const finalizers = async () => ((await scene.get(snapshot)).metadata["finalizers"] ?? []) as readonly string[];
  await scene.change(snapshot, { metadata: { finalizers: [...(await finalizers()), held] } });
  isHeld.open();
  await scene.until(() => scene.engine.describeBackup(crn).errors.length > 0);
  const others = (await finalizers()).filter((finalizer) => finalizer !== held);
  await scene.change(snapshot, { metadata: { finalizers: others } });
  await scene.until(() => scene.engine.describeBackup(crn).state === "FAILED");
  expect(texts(scene.engine.describeBackup(crn).errors)).toEqual([expect.stringContaining(held)]);
  await expectNothingLeft(scene);
});

test("a backup whose service dies within the burst takes all of its snapshots again, and leaves none of those before", async () => {
  const scene = await Scene.open();
  const group = "/apis/snapshot.storage.k8s.io/v1/namespaces";
  let isHeld = true;
  scene.simulator.intercept(({ method, path }) =>
    isHeld && method === "POST" && path === `${group}/vault-system/volumesnapshots` ? noAnswer : undefined,
  );
  const crn = await scene.startBackup();
  await scene.until(() => scene.simulator.volumes.snapshotHandles().length === 2);
  await scene.engine.close();
  const before = scene.simulator.volumes.snapshotHandles();
  isHeld = false;
  await scene.restart();
  await scene.until(() => scene.engine.describeBackup(crn).phase === "FINISHED");
  expect(scene.engine.describeBackup(crn)).toMatchObject({ state: "COMPLETED", warnings: [], errors: [] });
  const after = scene.simulator.volumes.snapshotHandles();
  expect(after).toHaveLength(3);
  expect(after.filter((handle) => before.includes(handle))).toEqual([]);
  expect(await scene.names(contents)).toEqual([]);
});

/** Starts a backup and does something once its objects are saved and its snapshots are begun. */
async function backupDuring(scene: Scene, change: (archives: string, crn: string) => Promise<void>): Promise<string> {
  let crn = "";
  let changing: Promise<void> | undefined;
  scene.simulator.intercept(({ method, path }) => {
    if (method === "POST" && path.endsWith("/volumesnapshots") && crn !== "")
      changing ??= change(join(scene.folder, "archives"), crn);
    return undefined;
  });
  crn = await scene.startBackup();
  await scene.until(() => changing !== undefined);
  await changing;
  return crn;
}

test("a backup whose storage goes away waits for it, and is whole", async () => {
  const scene = await Scene.open({ maxAttempts: 10_000 });
  const crn = await backupDuring(scene, (archives) => rename(archives, `${archives}.away`));
  await scene.until(() => scene.engine.getLogs(crn).includes("is the storage there?"));
  const archives = join(scene.folder, "archives");
  await rename(`${archives}.away`, archives);
  await scene.until(() => scene.engine.describeBackup(crn).phase === "FINISHED");
  expect(scene.engine.describeBackup(crn)).toMatchObject({ state: "COMPLETED", errors: [] });
  expect(texts((await scene.restore(crn)).errors)).toEqual([]);
});

test("a backup of which a part is lost or cut before it is complete fails, names the part and leaves nothing", async () => {
  for (const [change, text] of [
    [(part: string) => rm(part), /objects\/apps\.v1\.deployments\.\S+ is gone from folder /],
    [
      (part: string) => writeFile(part, "cut"),
      /objects\/apps\.v1\.deployments\.\S+ in folder \S+ has 3 bytes instead of /,
    ],
  ] as const) {
    const scene = await Scene.open();
    const crn = await backupDuring(scene, (archives, backup) =>
      change(join(archives, "backups", backup.slice(-36), "objects", "apps.v1.deployments.ndjson.zst.enc")),
    );
    await scene.until(() => scene.engine.describeBackup(crn).phase === "FINISHED");
    const { state, errors } = scene.engine.describeBackup(crn);
    expect([state, texts(errors)]).toEqual(["FAILED", [expect.stringMatching(text)]]);
    await expectNothingLeft(scene);
  }
});

const refused = (message: string) => ({
  status: 403,
  body: { kind: "Status", code: 403, reason: "Forbidden", message },
});

/** The API server's own words. */
const lacksList =
  'volumesnapshots.snapshot.storage.k8s.io is forbidden: User "drs" cannot list resource "volumesnapshots"';

/** A backup that fails as it takes its snapshots, and may not look for them then so many times. */
async function failingBackup(scene: Scene, refusals: number) {
  let left = 0;
  scene.simulator.intercept(({ method, path }) => {
    if (method === "POST" && path.endsWith("/vault-system/volumesnapshots")) {
      left = refusals;
      return refused("exceeded quota");
    }
    const isLooking = method === "GET" && path.endsWith("/volumesnapshots");
    return isLooking && left-- > 0 ? refused(lacksList) : undefined;
  });
  const { crn, state, errors } = await scene.backup();
  const [first, ...more] = texts(errors);
  expect([state, first]).toEqual(["FAILED", expect.stringContaining("exceeded quota")]);
  return { uuid: crn.slice(-36), more };
}

test("a backup that fails and has lost its rights waits for them, and leaves nothing", async () => {
  const scene = await Scene.open();
  const { more } = await failingBackup(scene, 1);
  expect(more).toEqual([]);
  await expectNothingLeft(scene);
});

test("a backup that fails and does not get its rights back says what may be left", async () => {
  const scene = await Scene.open();
  const { uuid, more } = await failingBackup(scene, Number.POSITIVE_INFINITY);
  expect(more).toEqual([expect.stringContaining("the backup was not cleaned up: ")]);
  expect(more[0]).toContain(`VolumeSnapshots with the label drs.cloudera.com/job=${uuid} and their contents`);
  expect(more[0]).toContain(`backups/${uuid} in folder `);
});

test("a claim whose data cannot be saved is a warning that names it, and stays as it is when the backup is restored", async () => {
  const scene = await Scene.open();
  const spec = {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteMany"],
    storageClassName: "",
    nfs: { server: "192.0.2.9", path: "/share" },
  };
  await scene.create("/api/v1/persistentvolumes", { metadata: { name: "share" }, spec });
  await scene.create("/api/v1/namespaces/cdp/persistentvolumeclaims", {
    metadata: { name: "share" },
    spec: {
      accessModes: ["ReadWriteMany"],
      storageClassName: "",
      volumeName: "share",
      resources: { requests: { storage: "1Gi" } },
    },
  });
  const claim = "/api/v1/namespaces/cdp/persistentvolumeclaims/share";
  const phase = async () => ((await scene.get(claim))["status"] as { phase: string }).phase;
  await scene.until(async () => (await phase()) === "Bound");
  const backup = await scene.backup();
  expect(backup.state).toBe("PARTIALLY_FAILED");
  expect(texts(backup.warnings)).toEqual([
    "cdp: the data of claim share is not in this backup: its volume share is not a CSI volume",
  ]);
  const { uid } = (await scene.get(claim)).metadata;
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect((await scene.get(claim)).metadata.uid).toBe(uid);

  // Gone with its namespace, it comes back on its volume, which is still there.
  await scene.remove("/api/v1/namespaces/cdp");
  await scene.until(async () => {
    await scene
      .change("/apis/platform.cdp.example/v1/namespaces/cdp/environments/sandbox", { metadata: { finalizers: null } })
      .catch(() => {});
    return !(await scene.names("/api/v1/namespaces")).includes("cdp");
  });
  await scene.change("/api/v1/persistentvolumes/share", { spec: { persistentVolumeReclaimPolicy: "Retain" } });
  const again = await scene.restore(backup.crn);
  expect(texts(again.errors)).toEqual([]);
  expect(texts(again.warnings)).toContain(
    "cdp: claim share has its volume share again, with its current data: the backup has none",
  );
  expect(await phase()).toBe("Bound");
});
