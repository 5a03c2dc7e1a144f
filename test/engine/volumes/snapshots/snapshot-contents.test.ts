import { onTestFinished, expect, test } from "vitest";
import { Cluster } from "../../../../engine/kubernetes/cluster.ts";
import { importContents } from "../../../../engine/volumes/snapshots/snapshot-contents.ts";
import { nameFor } from "../../../../engine/volumes/snapshots/snapshot-objects.ts";
import { Scene } from "../../simulated-control-plane.ts";

const { signal } = new AbortController();
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const volume = {
  namespace: "cdp",
  claim: "cdp-artifacts",
  data: {
    kind: "snapshot",
    driver: "played.by.this.test",
    snapshotClass: "standard",
    snapshotHandle: "snap-1",
    restoreSize: null,
    snapshotTime: "2026-01-02T03:04:05Z",
  },
} as const;

/** Begins to import the snapshot, which nobody but the test will say anything of. */
async function importing(timeoutMs: number) {
  const scene = await Scene.open();
  const cluster = await Cluster.open({ server: scene.simulator.url }, 4);
  onTestFinished(() => cluster.close());
  const request = { cluster, uuid: "uuid", volumes: [volume], deletionPolicy: "Retain", inFlight: 4, signal } as const;
  const imported = importContents({ ...request, timeoutMs });
  const name = nameFor("uuid", volume.namespace, volume.claim);
  await scene.until(async () => (await scene.names(contents)).includes(name));
  const say = (status: object) => scene.change(`${contents}/${name}/status`, { status });
  return { imported, say };
}

test("a driver's complaint that passes is none", async () => {
  const { imported, say } = await importing(20_000);
  await say({ readyToUse: false, error: { message: "connection refused" } });
  const first = await Promise.race([imported, new Promise((resolve) => setTimeout(resolve, 500, "waiting"))]);
  await say({ readyToUse: true, error: null });
  expect(first).toBe("waiting");
  expect(await imported).toEqual(new Map());
});

test("a driver's complaint that lasts is reported in its own words", async () => {
  const { imported, say } = await importing(5_000);
  await say({ readyToUse: false, error: { message: "can not find snapshot" } });
  expect(await imported).toEqual(new Map([["cdp/cdp-artifacts", "can not find snapshot"]]));
});
