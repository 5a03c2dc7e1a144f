import { expect, onTestFinished, test, vi } from "vitest";
import { uuidOf } from "../../../engine/crn.ts";
import { nodeName } from "../../../simulator/bootstrap.ts";
import { type Scene, texts } from "../simulated-control-plane.ts";
import { copies, copyingScene, copyOf, ends, fillNamespace, goOn, leftovers } from "./copying-scene.ts";
import { SimulatedRestic } from "./simulated-restic.ts";

const noClass = "no VolumeSnapshotClass has its driver other.csi.example: create one";
const path = "/volumes/cdp/shared";

interface LiveClaim {
  readonly accessMode?: string;
  /** By whom the volume says to have been made. */
  readonly annotations?: Record<string, string>;
}

/** The sample control plane with a claim besides that no snapshot can hold, on a volume of another driver. */
async function liveScene(restic: SimulatedRestic, { accessMode = "ReadWriteOnce", annotations = {} }: LiveClaim = {}) {
  const scene = await copyingScene(restic, { copies: { ...copies, readsLive: true } });
  scene.simulator.volumes.addVolume("by-hand");
  const spec = { accessModes: [accessMode], storageClassName: "standard", volumeName: "by-hand" };
  await scene.create("/api/v1/persistentvolumes", {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "by-hand", annotations },
    spec: {
      accessModes: [accessMode],
      storageClassName: "standard",
      capacity: { storage: "1Gi" },
      persistentVolumeReclaimPolicy: "Retain",
      csi: { driver: "other.csi.example", volumeHandle: "by-hand" },
    },
  });
  await scene.create("/api/v1/namespaces/cdp/persistentvolumeclaims", {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "shared" },
    spec: { ...spec, resources: { requests: { storage: "1Gi" } } },
  });
  await scene.simulator.settled();
  scene.simulator.volumes.write("cdp", "shared", "file", "at the backup");
  return scene;
}

async function aPodUses(scene: Scene, name: string, nodeName: string): Promise<void> {
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "shared" } }];
  const spec = { nodeName, containers: [{ name: "app", image: "app" }], volumes };
  await scene.create("/api/v1/namespaces/cdp/pods", { apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
  await scene.simulator.settled();
}

/** The copy of a new backup, and its log, when it has ended. */
async function copied(scene: Scene) {
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await ends(scene, crn);
  return { backup, log: scene.engine.getLogs(crn), crn };
}

async function volumesOfTheCluster(scene: Scene): Promise<readonly string[]> {
  await scene.simulator.settled();
  return scene.names("/api/v1/persistentvolumes");
}

/** The pod of the mover that reads the live volume. */
async function mover(scene: Scene): Promise<Record<string, unknown> | undefined> {
  const pods = `/api/v1/namespaces/${fillNamespace}/pods`;
  for (const name of await scene.names(pods)) {
    const { spec } = (await scene.get(`${pods}/${name}`)) as unknown as {
      spec: { containers: [{ command: string[] }] };
    };
    if (spec.containers[0].command.includes(path)) return spec;
  }
  return undefined;
}

test("a volume that no snapshot can hold is copied while a pod uses it, by a mover on its node that cannot write", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(path, { log: [] });
  const scene = await liveScene(restic);
  const before = await volumesOfTheCluster(scene);
  await aPodUses(scene, "app", nodeName);
  const backup = await scene.backup();
  expect(texts(backup.warnings)).toEqual([
    `cdp: the data of claim shared is in no snapshot, but copied after the backup while applications can write, and so not of one moment: ${noClass}`,
  ]);
  await scene.until(async () => (await mover(scene)) !== undefined);
  const spec = await mover(scene);
  expect(JSON.stringify(spec?.["affinity"])).toContain(
    `"key":"metadata.name","operator":"In","values":["${nodeName}"]`,
  );
  expect(spec?.["volumes"]).toContainEqual({
    name: "data",
    persistentVolumeClaim: { claimName: expect.any(String), readOnly: true },
  });
  restic.instead.delete(path);
  await goOn(scene);
  const crn = copyOf(scene, backup.crn);
  await ends(scene, crn);
  const log = scene.engine.getLogs(crn);
  expect(log).toContain("job ended COMPLETED");
  expect(log).toMatch(/copied claim cdp\/shared, while applications could write, from \S+Z to \S+Z: 1 files/);
  const copy = restic.snapshots.find((snapshot) => snapshot.path === path);
  expect(copy?.files.get("file")?.toString()).toBe("at the backup");
  const archives = await scene.openArchives();
  const noted = await archives.copies(`backups/${uuidOf(backup.crn)}`, new AbortController().signal);
  expect(noted?.volumes.find(({ claim }) => claim === "shared")?.live).toMatchObject({
    persistentVolume: "by-hand",
    storageClass: "standard",
  });
  expect(await leftovers(scene)).toEqual([]);
  expect(await volumesOfTheCluster(scene)).toEqual(before);
  expect(scene.simulator.volumes.read("cdp", "shared", "file").toString()).toBe("at the backup");
});

test("a copy leaves live volumes alone unless it is told to, and the backup warns of them", async () => {
  const restic = new SimulatedRestic();
  const scene = await liveScene(restic);
  await scene.restart({ copies });
  const { backup, log } = await copied(scene);
  expect(texts(backup.warnings)).toEqual([`cdp: the data of claim shared is not in this backup: ${noClass}`]);
  expect(log).toContain("copied 3 of 3 volumes");
});

test("a mover of a live volume that is for one node ends when a pod needs the volume on another node", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(path, { log: [] });
  const scene = await liveScene(restic);
  const backup = await scene.backup();
  await scene.until(async () => (await mover(scene))?.["nodeName"] !== undefined);
  await aPodUses(scene, "app", "another-node");
  await goOn(scene);
  await ends(scene, copyOf(scene, backup.crn));
  expect(texts(scene.engine.describeBackup(backup.crn).warnings)).toContain(
    "cdp: the data of claim shared was not copied, and is tried again in an hour: a pod needs it on another node now, another-node",
  );
  expect(await leftovers(scene)).toEqual([]);
});

test("a volume for one pod only is not copied while one uses it", async () => {
  const scene = await liveScene(new SimulatedRestic(), { accessMode: "ReadWriteOncePod" });
  await aPodUses(scene, "app", nodeName);
  const { backup } = await copied(scene);
  expect(texts(scene.engine.describeBackup(backup.crn).warnings)).toContain(
    "cdp: the data of claim shared was not copied, and is tried again in an hour: a pod uses it, and no other one can at the same time (ReadWriteOncePod)",
  );
});

test("another claim's data is never copied for that of a claim that is gone since the backup", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(path, { log: [] });
  const scene = await liveScene(restic);
  const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
  const { spec } = (await scene.get(`${claims}/shared`)) as unknown as { spec: object };
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(async () => (await mover(scene)) !== undefined);
  await scene.remove(`${claims}/shared`);
  await scene.until(async () => !(await scene.names(claims)).includes("shared"));
  await scene.change("/api/v1/persistentvolumes/by-hand", { spec: { claimRef: null } });
  const another = { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "shared" }, spec };
  await scene.create(claims, another);
  await scene.simulator.settled();
  await scene.restart({ meanwhile: () => restic.instead.clear() });
  await ends(scene, crn);
  expect(texts(scene.engine.describeBackup(backup.crn).warnings).join()).toContain(
    "its claim is gone, or another one, since the backup",
  );
  const archives = await scene.openArchives();
  const noted = await archives.copies(`backups/${uuidOf(backup.crn)}`, new AbortController().signal);
  expect(noted?.volumes.map(({ claim }) => claim)).not.toContain("shared");
  expect(await leftovers(scene)).toEqual([]);
});

test("live data of another day than the backup's is not copied for it", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(path, { log: [] });
  const scene = await liveScene(restic);
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(() => restic.snapshots.length === 3);
  onTestFinished(() => void vi.useRealTimers());
  await scene.restart({
    meanwhile: () => void vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 25 * 3_600_000 }),
  });
  await ends(scene, crn);
  expect(texts(scene.engine.describeBackup(backup.crn).warnings)).toContain(
    "cdp: the data of claim shared was not copied within a day after the backup, and its volume holds data of another time by now",
  );
  expect(await leftovers(scene)).toEqual([]);
});

test("a restore fills a volume that has no snapshot from its copy", async () => {
  const provisioned = { "pv.kubernetes.io/provisioned-by": "other.csi.example" };
  const scene = await liveScene(new SimulatedRestic(), { annotations: provisioned });
  const { backup } = await copied(scene);
  scene.simulator.volumes.write("cdp", "shared", "file", "since");
  const restore = await scene.restore(backup.crn);
  expect([restore.state, restore.errors, restore.warnings]).toEqual(["COMPLETED", [], []]);
  expect(scene.simulator.volumes.read("cdp", "shared", "file").toString()).toBe("at the backup");
  expect(scene.engine.getLogs(restore.crn)).toContain(
    "filled from copies that were made while applications could write, as they have no snapshots: claims cdp/shared",
  );
  expect(await leftovers(scene)).toEqual([]);
});

test("a restore keeps the present data of a volume that was created by hand, and names its copy", async () => {
  const scene = await liveScene(new SimulatedRestic());
  const { backup } = await copied(scene);
  scene.simulator.volumes.write("cdp", "shared", "file", "since");
  const restore = await scene.restore(backup.crn);
  expect(restore.errors).toEqual([]);
  expect(texts(restore.warnings)).toEqual([
    expect.stringMatching(/^cdp: claim shared is not filled from its copy, as its volume by-hand was created by hand/),
    "cdp: the backup does not have the data of claim shared, which is left as it is",
  ]);
  expect(scene.simulator.volumes.read("cdp", "shared", "file").toString()).toBe("since");
});

test("a restore ends the mover of a live volume before it stops the applications, and the copy goes on after it", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(path, { log: [] });
  const scene = await liveScene(restic);
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(async () => (await mover(scene)) !== undefined && restic.snapshots.length === 3);
  const restore = await scene.restore(backup.crn);
  expect(restore.errors).toEqual([]);
  expect(scene.engine.getLogs(restore.crn)).toMatch(/ended mover \S+, which was copying a live volume/);
  restic.instead.delete(path);
  await goOn(scene);
  await ends(scene, crn);
  expect(scene.engine.getLogs(crn)).toContain("job ended COMPLETED");
  expect(restic.snapshots).toHaveLength(4);
  expect(await leftovers(scene)).toEqual([]);
});
