import { expect, test } from "vitest";
import { bytesOf } from "../../../engine/volumes/quantity.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
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

test("what no snapshot can bring back is a warning: no snapshot class, no storage class, no volume at all is none", async () => {
  const scene = await Scene.open();
  const csi = { driver: "other.csi.example", volumeHandle: "h" };
  const ours = { driver: "sim.csi.drs.example", volumeHandle: "static" };
  for (const [name, source] of [
    ["other", csi],
    ["static", ours],
  ] as const) {
    const common = { accessModes: ["ReadWriteOnce"], storageClassName: "" };
    await scene.create("/api/v1/persistentvolumes", {
      metadata: { name },
      spec: { ...common, capacity: { storage: "1Gi" }, csi: source, persistentVolumeReclaimPolicy: "Retain" },
    });
    await scene.create(claims, { metadata: { name }, spec: { ...request("1Gi"), ...common, volumeName: name } });
    await bound(scene, name);
  }
  await scene.create(claims, { metadata: { name: "empty" }, spec: { ...request("1Gi"), storageClassName: "nowhere" } });
  await scene.simulator.settled();
  const backup = await scene.backup();
  expect(texts(backup.warnings)).toEqual([
    "cdp: the data of claim other is not in this backup: no VolumeSnapshotClass has its driver other.csi.example: create one",
    "cdp: the data of claim static is not in this backup: it has no storage class that could make a volume from a snapshot",
  ]);
  expect(backup.state).toBe("PARTIALLY_FAILED");
  const uids = async () =>
    Promise.all(["other", "static", "empty"].map(async (name) => (await scene.get(`${claims}/${name}`)).metadata.uid));
  const before = await uids();
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(await uids()).toEqual(before);
});
