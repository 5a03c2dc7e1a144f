import { beforeEach, describe, expect, test } from "vitest";
import { simulated } from "./client.ts";

const cluster = simulated();
const claims = "/api/v1/namespaces/default/persistentvolumeclaims";
const volumes = "/api/v1/persistentvolumes";
const snapshots = "/apis/snapshot.storage.k8s.io/v1/namespaces/default/volumesnapshots";
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const driver = "sim.csi.drs.example";

function claim(name: string, spec: object = {}) {
  const wish = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  return { metadata: { name }, spec: { ...wish, ...spec } };
}

async function boundClaim(name: string, spec: object = {}) {
  await cluster.post(claims, claim(name, spec));
  await cluster.settled();
  return cluster.get(`${claims}/${name}`);
}

async function snapshotOf(name: string, claimName: string) {
  await cluster.post(snapshots, { metadata: { name }, spec: { source: { persistentVolumeClaimName: claimName } } });
  await cluster.settled();
  return cluster.get(`${snapshots}/${name}`);
}

/** A content that stands for a stored snapshot by its handle. */
function provisioned(name: string, snapshotHandle: string, deletionPolicy: string) {
  const volumeSnapshotRef = { namespace: "default", name };
  return { metadata: { name }, spec: { deletionPolicy, driver, source: { snapshotHandle }, volumeSnapshotRef } };
}

beforeEach(() => cluster.settled());

describe("a claim", () => {
  test("gets a volume of the default class, which goes with it", async () => {
    const bound = await boundClaim("data");
    expect(bound.status).toMatchObject({ phase: "Bound", capacity: { storage: "1Gi" } });
    expect(bound.metadata.annotations).toMatchObject({ "pv.kubernetes.io/bind-completed": "yes" });
    const volume = await cluster.get(`${volumes}/${bound.spec.volumeName}`);
    expect(volume.spec).toMatchObject({ claimRef: { name: "data", uid: bound.metadata.uid }, csi: { driver } });
    expect(volume.status.phase).toBe("Bound");
    cluster.simulator.volumes.write("default", "data", "a/file", "bytes");
    expect(cluster.simulator.volumes.list("default", "data")).toEqual(["a/file"]);
    await cluster.delete(`${claims}/data`);
    await cluster.settled();
    expect(await cluster.exists(`${volumes}/${bound.spec.volumeName}`)).toBe(false);
    expect(cluster.simulator.volumes.volumeHandles()).toEqual([]);
  });

  test("of a class that waits for a pod gets a volume for a selected node, unless that one is full", async () => {
    const late = { metadata: { name: "late" }, provisioner: driver, volumeBindingMode: "WaitForFirstConsumer" };
    await cluster.post("/apis/storage.k8s.io/v1/storageclasses", late);
    expect((await boundClaim("idle", { storageClassName: "late" })).status.phase).toBe("Pending");
    const select = async (node: string) => {
      await cluster.merge(`${claims}/idle`, {
        metadata: { annotations: { "volume.kubernetes.io/selected-node": node } },
      });
      await cluster.settled();
      return cluster.get(`${claims}/idle`);
    };
    cluster.simulator.volumes.fillNode("full");
    const refused = await select("full");
    expect(refused.status.phase).toBe("Pending");
    expect(Object.keys(refused.metadata.annotations)).not.toContain("volume.kubernetes.io/selected-node");
    const { items } = await cluster.get("/api/v1/namespaces/default/events");
    expect(items).toMatchObject([{ reason: "ProvisioningFailed", involvedObject: { uid: refused.metadata.uid } }]);
    expect((await select("empty")).status.phase).toBe("Bound");
  });

  test("leaves a retained volume with its data, which another claim can take", async () => {
    const first = await boundClaim("data");
    const volume = `${volumes}/${first.spec.volumeName}`;
    cluster.simulator.volumes.write("default", "data", "file", "kept");
    await cluster.merge(volume, { spec: { persistentVolumeReclaimPolicy: "Retain" } });
    await cluster.delete(`${claims}/data`);
    await cluster.settled();
    expect((await cluster.get(volume)).status.phase).toBe("Released");

    await cluster.merge(volume, { spec: { claimRef: { uid: null, resourceVersion: null } } });
    await cluster.settled();
    expect((await cluster.get(volume)).status.phase).toBe("Available");
    const second = await boundClaim("data", { volumeName: first.spec.volumeName });
    expect(second.status.phase).toBe("Bound");
    expect((await cluster.get(volume)).spec.claimRef.uid).toBe(second.metadata.uid);
    expect(cluster.simulator.volumes.read("default", "data", "file").toString()).toBe("kept");
  });

  test("leaves a released volume that goes when its policy becomes Delete", async () => {
    const { spec } = await boundClaim("data");
    const volume = `${volumes}/${spec.volumeName}`;
    await cluster.merge(volume, { spec: { persistentVolumeReclaimPolicy: "Retain" } });
    await cluster.delete(`${claims}/data`);
    await cluster.settled();
    await cluster.merge(volume, { spec: { persistentVolumeReclaimPolicy: "Delete" } });
    await cluster.settled();
    expect(await cluster.exists(volume)).toBe(false);
    expect(cluster.simulator.volumes.volumeHandles()).toEqual([]);
  });

  test("that says it is bound to a volume with another claim's uid is lost", async () => {
    const { spec } = await boundClaim("data");
    const lost = claim("other", { volumeName: spec.volumeName });
    const annotations = { "pv.kubernetes.io/bind-completed": "yes" };
    await cluster.post(claims, { ...lost, metadata: { ...lost.metadata, annotations } });
    await cluster.settled();
    expect((await cluster.get(`${claims}/other`)).status.phase).toBe("Lost");
  });

  test("of a class that waits for a consumer is bound when a pod comes", async () => {
    await cluster.post("/apis/storage.k8s.io/v1/storageclasses", {
      metadata: { name: "late" },
      provisioner: driver,
      volumeBindingMode: "WaitForFirstConsumer",
    });
    expect((await boundClaim("data", { storageClassName: "late" })).status.phase).toBe("Pending");
    const mounts = [{ name: "data", persistentVolumeClaim: { claimName: "data" } }];
    await cluster.post("/api/v1/namespaces/default/pods", {
      metadata: { name: "user" },
      spec: { containers: [{ name: "main" }], volumes: mounts },
    });
    await cluster.settled();
    expect((await cluster.get(`${claims}/data`)).status.phase).toBe("Bound");
    expect((await cluster.get("/api/v1/namespaces/default/pods/user")).status.phase).toBe("Running");
  });
});

describe("a snapshot", () => {
  test("holds the data of its moment, and a claim made from it begins with that", async () => {
    await boundClaim("data");
    cluster.simulator.volumes.write("default", "data", "file", "before");
    const snapshot = await snapshotOf("snap", "data");
    expect(snapshot.status).toMatchObject({ readyToUse: true, restoreSize: "1Gi" });
    const { text } = await cluster.call("GET", `${contents}/${snapshot.status.boundVolumeSnapshotContentName}`);
    expect(text).toMatch(/"creationTime":\d{19},/);
    cluster.simulator.volumes.write("default", "data", "file", "after");

    const dataSource = { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name: "snap" };
    const copy = await boundClaim("copy", { dataSource });
    expect(copy.spec.dataSourceRef).toEqual(dataSource);
    expect(cluster.simulator.volumes.read("default", "copy", "file").toString()).toBe("before");
    expect(cluster.simulator.volumes.read("default", "data", "file").toString()).toBe("after");
  });

  test("takes its stored snapshot along unless its content is retained", async () => {
    await boundClaim("data");
    const deleted = await snapshotOf("deleted", "data");
    const retained = await snapshotOf("retained", "data");
    const content = `${contents}/${retained.status.boundVolumeSnapshotContentName}`;
    await cluster.merge(content, { spec: { deletionPolicy: "Retain" } });
    await cluster.delete(`${snapshots}/deleted`);
    await cluster.delete(`${snapshots}/retained`);
    await cluster.settled();
    expect((await cluster.get(snapshots)).items).toEqual([]);
    expect(await cluster.exists(`${contents}/${deleted.status.boundVolumeSnapshotContentName}`)).toBe(false);
    const { snapshotHandle } = (await cluster.get(content)).status;
    expect(cluster.simulator.volumes.snapshotHandles()).toEqual([snapshotHandle]);
    await cluster.delete(content);
    await cluster.settled();
    expect(await cluster.exists(content)).toBe(false);
    expect(cluster.simulator.volumes.snapshotHandles()).toEqual([snapshotHandle]);
  });

  test("comes back from its handle alone, and is deleted through such a content", async () => {
    await boundClaim("data");
    cluster.simulator.volumes.write("default", "data", "file", "saved");
    const taken = await snapshotOf("taken", "data");
    const content = `${contents}/${taken.status.boundVolumeSnapshotContentName}`;
    const { snapshotHandle } = (await cluster.get(content)).status;
    await cluster.merge(content, { spec: { deletionPolicy: "Retain" } });
    await cluster.delete(`${snapshots}/taken`);
    await cluster.delete(content);
    await cluster.settled();

    await cluster.post(contents, provisioned("back", snapshotHandle, "Retain"));
    await cluster.post(snapshots, {
      metadata: { name: "back" },
      spec: { source: { volumeSnapshotContentName: "back" } },
    });
    await cluster.post(contents, provisioned("missing", "snap-none", "Retain"));
    const dataSource = { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name: "back" };
    const copy = await boundClaim("copy", { dataSource });
    expect(copy.status.phase).toBe("Bound");
    expect(cluster.simulator.volumes.read("default", "copy", "file").toString()).toBe("saved");
    expect((await cluster.get(`${contents}/missing`)).status).toMatchObject({ readyToUse: false, error: {} });

    await cluster.delete(`${snapshots}/back`);
    await cluster.delete(`${contents}/back`);
    await cluster.post(contents, provisioned("goes", snapshotHandle, "Delete"));
    await cluster.settled();
    await cluster.delete(`${contents}/goes`);
    await cluster.settled();
    expect(await cluster.exists(`${contents}/goes`)).toBe(false);
    expect(cluster.simulator.volumes.snapshotHandles()).toEqual([]);
  });

  test("of a claim that is not there says why it is not ready", async () => {
    const { status } = await snapshotOf("snap", "nothing");
    expect(status).toMatchObject({ readyToUse: false, error: { message: expect.stringContaining("nothing") } });
  });
});
