import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
const selectedNode = "volume.kubernetes.io/selected-node";
const bytes = "that no pod reads now";

/** A control plane with a claim that no pod uses, of a class that waits for one, and a second node. */
async function sceneWithUnconsumedClaim(): Promise<Scene> {
  const scene = await Scene.open({ limits: { snapshotTimeout: 3_000 } });
  const { status } = await scene.get("/api/v1/nodes/sim-node-1");
  await scene.create("/api/v1/nodes", { metadata: { name: "sim-node-2" }, spec: {}, status });
  const provisioner = "sim.csi.drs.example";
  const late = { metadata: { name: "late" }, provisioner, volumeBindingMode: "WaitForFirstConsumer" };
  await scene.create("/apis/storage.k8s.io/v1/storageclasses", late);
  await scene.create(claims, {
    metadata: { name: "idle", annotations: { [selectedNode]: "sim-node-1" } },
    spec: { storageClassName: "late", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  });
  await scene.simulator.settled();
  scene.simulator.volumes.write("cdp", "idle", "file", bytes);
  return scene;
}

const warningsOf = (messages: Parameters<typeof texts>[0]) => texts(messages).filter((text) => text.includes("idle"));

test("a claim that no pod uses has its volume for another node when the first is full", async () => {
  const scene = await sceneWithUnconsumedClaim();
  const backup = await scene.backup();
  scene.simulator.volumes.fillNode("sim-node-1");
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(warningsOf(restore.warnings)).toEqual([]);
  expect((await scene.get(`${claims}/idle`)).metadata).toMatchObject({ annotations: { [selectedNode]: "sim-node-2" } });
  expect(scene.simulator.volumes.read("cdp", "idle", "file").toString()).toBe(bytes);
});

test("a claim for which no node has room stays unbound, and a warning tells what the driver says", async () => {
  const scene = await sceneWithUnconsumedClaim();
  const backup = await scene.backup();
  scene.simulator.volumes.fillNode("sim-node-1");
  scene.simulator.volumes.fillNode("sim-node-2");
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(warningsOf(restore.warnings)).toEqual([
    expect.stringMatching(
      /^cdp: claim idle has no volume yet.*for node sim-node-2: .*ResourceExhausted.*keep the backup$/,
    ),
  ]);
  const early = await scene.backup();
  expect(texts(early.warnings)).toEqual([
    "cdp: the data of claim idle is not in this backup: it is Pending, not Bound",
  ]);
  const data = { name: "data", persistentVolumeClaim: { claimName: "idle" } };
  const spec = { containers: [{ name: "main" }], volumes: [data] };
  await scene.create("/api/v1/namespaces/cdp/pods", { metadata: { name: "reader" }, spec });
  await scene.simulator.settled();
  expect(scene.simulator.volumes.read("cdp", "idle", "file").toString()).toBe(bytes);
});

test("a restore whose service is restarted while a node is selected binds the claim", async () => {
  const scene = await sceneWithUnconsumedClaim();
  const backup = await scene.backup();
  let selections = 0;
  scene.simulator.intercept(({ method, path }) => {
    if (method === "PATCH" && path === `${claims}/idle`) selections++;
    return undefined;
  });
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => selections > 0);
  await scene.restart();
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(warningsOf(restore.warnings)).toEqual([]);
  expect(scene.simulator.volumes.read("cdp", "idle", "file").toString()).toBe(bytes);
});
