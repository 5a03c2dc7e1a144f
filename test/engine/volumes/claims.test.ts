import { expect, test } from "vitest";
import { bytesOf } from "../../../engine/volumes/quantity.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
const ours = "sim.csi.drs.example";
const apps = "/apis/apps/v1/namespaces/cdp/deployments";
const request = (storage: string) => ({ accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } });

/** A deployment of one pod that mounts a claim. */
const mounting = (name: string, claimName: string) => ({
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "main" }], volumes: [{ name: "data", persistentVolumeClaim: { claimName } }] },
    },
  },
});

async function bound(scene: Scene, name: string): Promise<void> {
  await scene.until(
    async () => ((await scene.get(`${claims}/${name}`))["status"] as { phase?: string }).phase === "Bound",
  );
}

test("a claim comes back as large as its snapshot asks, whatever it was made from before", async () => {
  const scene = await Scene.open();
  const { volumes } = scene.simulator;
  const first = await scene.backup();
  await scene.restore(first.crn); // its claims name the snapshots they were made from, which are gone
  const claim = await scene.get(`${claims}/cdp-artifacts`);
  expect(claim["spec"]).toMatchObject({ dataSource: { kind: "VolumeSnapshot" } });
  volumes.write("cdp", "cdp-artifacts", "since", "then");
  // The volume is larger than was asked for, as some storage makes them, and the snapshot asks for as much.
  const { volumeName } = claim["spec"] as { volumeName: string };
  await scene.change(`/api/v1/persistentvolumes/${volumeName}`, { spec: { capacity: { storage: "6Gi" } } });
  const second = await scene.backup();
  expect(second.state).toBe("COMPLETED");
  const restore = await scene.restore(second.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(volumes.read("cdp", "cdp-artifacts", "since").toString()).toBe("then");
  const { requests } = (
    (await scene.get(`${claims}/cdp-artifacts`))["spec"] as { resources: { requests: { storage: string } } }
  ).resources;
  expect(bytesOf(requests.storage)).toBe(6n * 2n ** 30n);
});

test("a claim of 1.1Gi, which Kubernetes writes in thousandths, comes back with its data", async () => {
  const scene = await Scene.open();
  const { volumes } = scene.simulator;
  await scene.create(claims, { metadata: { name: "uneven" }, spec: request("1181116006400m") });
  await bound(scene, "uneven");
  volumes.write("cdp", "uneven", "data", "saved");
  const backup = await scene.backup();
  volumes.write("cdp", "uneven", "data", "since");
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(volumes.read("cdp", "uneven", "data").toString()).toBe("saved");
});

test("a claim that waits for its first consumer binds with it, and one that nobody uses without, for the backup may go", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 2_000 } });
  const { volumes } = scene.simulator;
  await scene.create("/apis/storage.k8s.io/v1/storageclasses", {
    metadata: { name: "late" },
    provisioner: "sim.csi.drs.example",
    reclaimPolicy: "Delete",
    volumeBindingMode: "WaitForFirstConsumer",
  });
  for (const name of ["used", "idle"]) {
    await scene.create(claims, { metadata: { name }, spec: { ...request("1Gi"), storageClassName: "late" } });
    await scene.create(apps, mounting(name, name));
    await bound(scene, name);
    volumes.write("cdp", name, "data", name);
  }
  await scene.change(`${apps}/idle`, { spec: { replicas: 0 } });
  await scene.simulator.settled();
  const backup = await scene.backup();
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).not.toContainEqual(expect.stringContaining("claim"));
  await scene.startDeletion(backup.crn);
  await scene.until(() => volumes.snapshotHandles().length === 0);
  expect(volumes.read("cdp", "used", "data").toString()).toBe("used");
  expect(volumes.read("cdp", "idle", "data").toString()).toBe("idle");
});

/** A volume that was made by hand, with a claim that is bound to it. */
async function madeByHand(scene: Scene, name: string, driver: string): Promise<void> {
  const common = { accessModes: ["ReadWriteOnce"], storageClassName: "" };
  const csi = { driver, volumeHandle: name };
  await scene.create("/api/v1/persistentvolumes", {
    metadata: { name },
    spec: { ...common, capacity: { storage: "1Gi" }, csi, persistentVolumeReclaimPolicy: "Retain" },
  });
  await scene.create(claims, { metadata: { name }, spec: { ...request("1Gi"), ...common, volumeName: name } });
  await bound(scene, name);
}

test("what no snapshot can bring back is a warning: no snapshot class, no volume at all is none", async () => {
  const scene = await Scene.open();
  await madeByHand(scene, "other", "other.csi.example");
  await scene.create(claims, { metadata: { name: "empty" }, spec: { ...request("1Gi"), storageClassName: "nowhere" } });
  await scene.simulator.settled();
  const backup = await scene.backup();
  expect(texts(backup.warnings)).toEqual([
    "cdp: the data of claim other is not in this backup: no VolumeSnapshotClass has its driver other.csi.example: create one",
    "cdp: PersistentVolumeClaim empty needs storageclasses.storage.k8s.io/nowhere, which does not exist",
  ]);
  expect(backup.state).toBe("PARTIALLY_FAILED");
  const uids = async () =>
    Promise.all(["other", "empty"].map(async (name) => (await scene.get(`${claims}/${name}`)).metadata.uid));
  const before = await uids();
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(await uids()).toEqual(before);
});

test("a volume that was made by hand is saved, and its data comes back in a class of its driver", async () => {
  const scene = await Scene.open();
  scene.simulator.volumes.addVolume("static");
  await madeByHand(scene, "static", ours);
  scene.simulator.volumes.write("cdp", "static", "data", "saved");
  const backup = await scene.backup();
  expect(texts(backup.warnings)).toEqual([]);
  scene.simulator.volumes.write("cdp", "static", "data", "since");
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContainEqual(
    "cdp: claim static is now in storage class standard: its volume static was created by hand, without a class",
  );
  expect(scene.simulator.volumes.read("cdp", "static", "data").toString()).toBe("saved");
});

test("a volume that was made by hand comes back on a cluster that has no class of its driver but the backup's", async () => {
  const scene = await Scene.open();
  const classes = "/apis/storage.k8s.io/v1/storageclasses";
  scene.simulator.volumes.addVolume("static");
  await madeByHand(scene, "static", ours);
  scene.simulator.volumes.write("cdp", "static", "data", "saved");
  for (const name of await scene.names(claims)) if (name !== "static") await scene.remove(`${claims}/${name}`);
  const provisioner = ours;
  await scene.create(classes, { metadata: { name: "a-spare" }, provisioner });
  await scene.remove(`${classes}/standard`);
  const backup = await scene.backup();
  await scene.remove(`${classes}/a-spare`);
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContain(
    "cdp: claim static is now in storage class a-spare: its volume static was created by hand, without a class",
  );
  expect(scene.simulator.volumes.read("cdp", "static", "data").toString()).toBe("saved");
});

test("a backup says that a restore will need a storage class of a volume's driver, and the restore does before it touches anything", async () => {
  const scene = await Scene.open();
  const classes = "/apis/storage.k8s.io/v1/storageclasses";
  for (const name of await scene.names(classes)) await scene.remove(`${classes}/${name}`);
  const backup = await scene.backup();
  expect(texts(backup.warnings)).toContainEqual(
    `cdp: no storage class of the cluster provisions volumes of driver ${ours}: a restore needs one for claim cdp-artifacts, create one`,
  );
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(/claim .* needs a storage class of driver sim.csi.drs.example: .* create one/),
  ]);
});

test("a claim whose class stands in the old annotation alone comes back in it, with its data", async () => {
  const scene = await Scene.open();
  const annotations = { "volume.beta.kubernetes.io/storage-class": "standard" };
  await scene.create(claims, { metadata: { name: "old", annotations }, spec: request("1Gi") });
  await bound(scene, "old");
  scene.simulator.volumes.write("cdp", "old", "data", "saved");
  const backup = await scene.backup();
  expect(texts(backup.warnings)).toEqual([]);
  await scene.remove(`${claims}/old`);
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(scene.simulator.volumes.read("cdp", "old", "data").toString()).toBe("saved");
  const claim = await scene.get(`${claims}/old`);
  expect(claim.metadata).toMatchObject({ annotations });
  expect(claim["spec"]).not.toHaveProperty("storageClassName");
});

test("a class whose name begins with system- is saved, and its claims come back in it", async () => {
  const scene = await Scene.open();
  const classes = "/apis/storage.k8s.io/v1/storageclasses";
  await scene.create(classes, { metadata: { name: "system-fast" }, provisioner: ours });
  const spec = { ...request("1Gi"), storageClassName: "system-fast" };
  await scene.create(claims, { metadata: { name: "fast" }, spec });
  await bound(scene, "fast");
  scene.simulator.volumes.write("cdp", "fast", "data", "saved");
  const backup = await scene.backup();
  await scene.remove(`${claims}/fast`);
  await scene.remove(`${classes}/system-fast`);
  const restore = await scene.restore(backup.crn);
  expect({ errors: texts(restore.errors), warnings: texts(backup.warnings) }).toEqual({ errors: [], warnings: [] });
  expect((await scene.get(`${claims}/fast`))["spec"]).toMatchObject({ storageClassName: "system-fast" });
  expect(scene.simulator.volumes.read("cdp", "fast", "data").toString()).toBe("saved");
});

test("a claim that is being deleted, and in use, is saved with its data; what else goes is named", async () => {
  const scene = await Scene.open();
  await scene.create(claims, { metadata: { name: "orders" }, spec: request("1Gi") });
  await scene.create(apps, mounting("orders", "orders"));
  await bound(scene, "orders");
  scene.simulator.volumes.write("cdp", "orders", "data", "saved");
  await scene.create("/api/v1/namespaces/cdp/configmaps", {
    metadata: { name: "going", finalizers: ["example.com/hold"] },
  });
  await scene.remove("/api/v1/namespaces/cdp/configmaps/going");
  await scene.remove(`${claims}/orders`);
  expect((await scene.get(`${claims}/orders`)).metadata).toHaveProperty("deletionTimestamp");
  const backup = await scene.backup();
  expect(texts(backup.warnings)).toEqual([
    "cdp: claim orders is being deleted, and will be gone with its data when no pod uses it: a restore recreates it",
    "cdp: ConfigMap going is being deleted, and not in this backup",
  ]);
  scene.simulator.volumes.write("cdp", "orders", "data", "since");
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  await scene.simulator.settled();
  expect((await scene.get(`${claims}/orders`)).metadata).not.toHaveProperty("deletionTimestamp");
  expect(scene.simulator.volumes.read("cdp", "orders", "data").toString()).toBe("saved");
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents")).toEqual([]);
});

test("a backup that fails leaves no snapshot of a claim that is being deleted", async () => {
  const scene = await Scene.open();
  await scene.create(claims, { metadata: { name: "orders" }, spec: request("1Gi") });
  await scene.create(apps, mounting("orders", "orders"));
  await bound(scene, "orders");
  await scene.remove(`${claims}/orders`);
  const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
  const before = scene.simulator.volumes.snapshotHandles();
  let made = 0;
  scene.simulator.intercept(({ method, path }) => {
    if (method === "POST" && path === contents) made++;
    if (method !== "POST" || !path.endsWith("/namespaces/cdp/volumesnapshots")) return undefined;
    return made === 0 ? { status: 503 } : { status: 403, body: { kind: "Status", message: "not by the policy" } };
  });
  const backup = await scene.backup();
  expect(backup.state).toBe("FAILED");
  expect(made).toBeGreaterThan(0);
  await scene.simulator.settled();
  expect(await scene.names(contents)).toEqual([]);
  expect(scene.simulator.volumes.snapshotHandles()).toEqual(before);
});
