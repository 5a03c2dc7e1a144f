import { expect, test } from "vitest";
import { Cluster } from "../../../../engine/kubernetes/cluster.ts";
import { discardSnapshots } from "../../../../engine/volumes/snapshots/discard-snapshots.ts";
import { Scene } from "../../simulated-control-plane.ts";

const { signal } = new AbortController();
const group = "/apis/snapshot.storage.k8s.io/v1";

test("a snapshot that does not tell of its content yet leaves none behind, though its class says Retain", async () => {
  const scene = await Scene.open();
  const [snapshotClass = ""] = await scene.names(`${group}/volumesnapshotclasses`);
  await scene.change(`${group}/volumesnapshotclasses/${snapshotClass}`, { deletionPolicy: "Retain" });
  await scene.create(`${group}/namespaces/cdp/volumesnapshots`, {
    metadata: { name: "begun", labels: { "drs.cloudera.com/job": "uuid" } },
    spec: { volumeSnapshotClassName: snapshotClass, source: { persistentVolumeClaimName: "cdp-artifacts" } },
  });
  await scene.until(() => scene.simulator.volumes.snapshotHandles().length === 1);
  const cluster = await Cluster.open({ server: scene.simulator.url }, 4);
  // As it is when the controller has made the content and dies, or is about to write the status.
  const list: Cluster["list"] = async function* (...question) {
    for await (const { status: _, ...inconclusive } of cluster.list(...question)) yield inconclusive;
  };
  const behind = new Proxy(cluster, {
    get: (target, name) => {
      if (name === "list") return list;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const held: string[] = [];
  await discardSnapshots({
    cluster: behind,
    uuid: "uuid",
    namespaces: ["cdp"],
    timeoutMs: 5_000,
    inFlight: 4,
    signal,
    onHeld: (_namespace, { message }) => held.push(message),
  });
  await cluster.close();
  expect(held).toEqual([]);
  expect(await scene.names(`${group}/volumesnapshots`)).toEqual([]);
  expect(await scene.names(`${group}/volumesnapshotcontents`)).toEqual([]);
  expect(scene.simulator.volumes.snapshotHandles()).toEqual([]);
});
