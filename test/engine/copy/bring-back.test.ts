import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { uuidOf } from "../../../engine/crn.ts";
import type { Scene } from "../simulated-control-plane.ts";
import { copies, copyingScene, copyOf, ends, filesOf, goOn, leftovers } from "./copying-scene.ts";
import { SimulatedRestic } from "./simulated-restic.ts";

/** A control plane with a backup that is copied, and another content since; its snapshots are lost. */
async function lost() {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const files = filesOf(scene);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  const { volumes } = scene.simulator;
  volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "overwritten");
  volumes.remove("vault-system", "data-vault-0", "core/_master");
  volumes.loseSnapshots();
  return { restic, scene, files, backup };
}

/** The claims that movers bring data into: a mover is named after its claim. */
async function beingFilled(scene: Scene): Promise<readonly string[]> {
  const claims = new Set(await scene.names("/api/v1/namespaces/drs/persistentvolumeclaims"));
  return (await scene.names("/apis/batch/v1/namespaces/drs/jobs")).filter((name) => claims.has(name));
}

test("a restore that is cancelled while copies are looked at leaves nothing of it", async () => {
  const { restic, scene, backup } = await lost();
  restic.look = { log: [] };
  const crn = await scene.startRestore(backup.crn);
  await scene.until(async () => (await scene.names("/apis/batch/v1/namespaces/drs/jobs")).length === 1);
  scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
  const restore = await scene.restored(crn);
  expect(restore.errors.map(({ text }) => text)).toEqual(["the restore was cancelled by alice"]);
  expect(await leftovers(scene)).toEqual([]);
});

test("a restore that dies while copies are looked at looks again", async () => {
  const { restic, scene, files, backup } = await lost();
  restic.look = { log: [] };
  const crn = await scene.startRestore(backup.crn);
  await scene.until(async () => (await scene.names("/apis/batch/v1/namespaces/drs/jobs")).length === 1);
  await scene.restart({ meanwhile: () => (restic.look = undefined) });
  const restore = await scene.restored(crn);
  expect([restore.state, restore.errors]).toEqual(["COMPLETED", []]);
  expect(filesOf(scene)).toEqual(files);
  expect(await leftovers(scene)).toEqual([]);
});

test("volumes whose snapshots are gone are restored from their copies, while the applications run", async () => {
  const { scene, files, backup } = await lost();
  const restore = await scene.restore(backup.crn);
  expect([restore.state, restore.errors, restore.warnings]).toEqual(["COMPLETED", [], []]);
  expect(filesOf(scene)).toEqual(files);
  const log = scene.engine.getLogs(restore.crn);
  expect(log).toMatch(/filled from copies, as their snapshots cannot be used \(.*\): claims .*cdp\/cdp-artifacts/);
  expect(log.indexOf("filled 3 volumes")).toBeLessThan(log.indexOf("STOPPING_APPS phase started"));
  expect(await leftovers(scene)).toEqual([]);
});

test("a restore of other objects says of no volume that it is filled from its copy", async () => {
  const { scene, backup } = await lost();
  const since = filesOf(scene);
  const [name = ""] = (await scene.names("/api/v1/namespaces/cdp/configmaps")).filter(
    (it) => it !== "kube-root-ca.crt",
  );
  const objects = [{ kind: "ConfigMap", namespace: "cdp", name }];
  const restore = await scene.restore(backup.crn, { selection: { what: "objects", objects } });
  expect([restore.state, restore.errors, restore.warnings]).toEqual(["COMPLETED", [], []]);
  expect(filesOf(scene)).toEqual(since);
  expect(scene.engine.getLogs(restore.crn)).not.toContain("filled from copies");
});

test("a snapshot that can be used comes before the copy", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const files = filesOf(scene);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  restic.snapshots = [];
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "overwritten");
  const restore = await scene.restore(backup.crn);
  expect([restore.state, restore.errors]).toEqual(["COMPLETED", []]);
  expect(filesOf(scene)).toEqual(files);
});

test("a repository that has moved is read where it is now, also when a new service has begun to copy into it", async () => {
  const { scene, files, backup } = await lost();
  await scene.restart({ forgetful: true, copies: { ...copies, repository: "s3:https://elsewhere.example/bucket" } });
  await scene.until(() => copyOf(scene, backup.crn) !== "");
  await ends(scene, copyOf(scene, backup.crn));
  const restore = await scene.restore(backup.crn);
  expect([restore.state, restore.errors, restore.warnings]).toEqual(["COMPLETED", [], []]);
  expect(filesOf(scene)).toEqual(files);
});

test("with --prefer copy a volume whose snapshot could be used is restored from its copy", async () => {
  const scene = await copyingScene(new SimulatedRestic());
  const files = filesOf(scene);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "overwritten");
  await scene.restart({ flags: { prefer: "copy" } });
  const restore = await scene.restore(backup.crn);
  expect([restore.state, restore.errors, restore.warnings]).toEqual(["COMPLETED", [], []]);
  expect(filesOf(scene)).toEqual(files);
  expect(scene.engine.getLogs(restore.crn)).toMatch(/filled from copies, as --prefer says: claims .*cdp-artifacts/);
});

test("a restore that has its snapshots does not need the file about copies, which is damaged", async () => {
  const scene = await copyingScene(new SimulatedRestic());
  const files = filesOf(scene);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  writeFileSync(join(scene.folder, "archives/backups", uuidOf(backup.crn), "copies.json"), "{");
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "overwritten");
  const restore = await scene.restore(backup.crn);
  expect([restore.state, restore.errors]).toEqual(["COMPLETED", []]);
  expect(filesOf(scene)).toEqual(files);
  expect(scene.engine.getLogs(restore.crn)).toContain("copies.json is damaged");
});

test("a copy that is gone too fails the restore before anything is touched, with the claim and the reason", async () => {
  const { restic, scene, backup } = await lost();
  restic.snapshots = restic.snapshots.filter(({ path }) => path !== "/volumes/cdp/cdp-artifacts");
  const before = await scene.picture();
  const volumes = scene.simulator.volumes.volumeHandles();
  const restore = await scene.restore(backup.crn);
  expect([restore.state, restore.phase]).toEqual(["FAILED", "FINISHED"]);
  expect(restore.errors.map(({ text }) => text).join()).toMatch(
    /cannot be filled from their copies.*cdp\/cdp-artifacts: .*no matching ID found/,
  );
  expect(await scene.picture()).toEqual(before);
  expect(await leftovers(scene)).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(volumes);
});

test("a copy that is damaged fails the restore before the first volume is made", async () => {
  const { restic, scene, backup } = await lost();
  const { id = "" } = restic.snapshots.find(({ path }) => path === "/volumes/cdp/cdp-artifacts") ?? {};
  restic.damaged.set(id, "packs of its data are missing in the repository");
  const claims: string[] = [];
  scene.simulator.intercept(({ method, path }) => {
    if (method === "POST" && path.endsWith("/persistentvolumeclaims")) claims.push(path);
    return undefined;
  });
  const restore = await scene.restore(backup.crn);
  expect(restore.errors.map(({ text }) => text)).toEqual([
    "claims cannot be filled from their copies, which is done while the applications run: cdp/cdp-artifacts: packs of its data are missing in the repository",
  ]);
  expect(claims).toEqual([]);
  expect(await leftovers(scene)).toEqual([]);
});

test("a volume that the cluster refuses fails the restore before data is brought for the others", async () => {
  const { restic, scene, backup } = await lost();
  scene.simulator.intercept(({ method, path, body }) =>
    method === "POST" && path.endsWith("/drs/persistentvolumeclaims") && body.includes('"10Gi"')
      ? { status: 403, body: { kind: "Status", code: 403, reason: "Forbidden", message: "exceeded quota: storage" } }
      : undefined,
  );
  for (const { id } of restic.snapshots) restic.instead.set(id, { exitCode: 1, log: ["a mover has run"] });
  const restore = await scene.restore(backup.crn);
  expect(restore.errors.map(({ text }) => text).join()).toMatch(
    /cannot be filled from their copies.*exceeded quota: storage/,
  );
  expect(restore.errors.map(({ text }) => text).join()).not.toContain("a mover has run");
  scene.simulator.intercept(undefined);
  expect(await leftovers(scene)).toEqual([]);
});

test("a class that has no room for the volumes fails the restore before the first one is made, where its driver says so", async () => {
  const { scene, backup } = await lost();
  const at = "/apis/storage.k8s.io/v1/namespaces/drs/csistoragecapacities";
  const capacity = {
    metadata: { name: "here" },
    storageClassName: "standard",
    capacity: "1Ti",
    maximumVolumeSize: "1Mi",
  };
  await scene.create(at, capacity);
  const small = await scene.restore(backup.crn);
  expect(small.errors.map(({ text }) => text).join()).toContain("the largest that it makes now is of 1048576");
  await scene.change(`${at}/here`, { capacity: null, maximumVolumeSize: null });
  const unknown = await scene.restore(backup.crn);
  expect([unknown.state, unknown.errors]).toEqual(["COMPLETED", []]);
});

test("a restore goes on after a restart with the movers that bring data back", async () => {
  const { restic, scene, files, backup } = await lost();
  const [{ id } = { id: "" }] = restic.snapshots;
  restic.instead.set(id, { log: ['{"message_type":"status","bytes_restored":1,"total_bytes":2}'] });
  const crn = await scene.startRestore(backup.crn);
  await scene.until(async () => (await beingFilled(scene)).length === 1);
  await scene.restart({ meanwhile: () => restic.instead.clear() });
  await goOn(scene);
  const restore = await scene.restored(crn);
  expect([restore.state, restore.errors]).toEqual(["COMPLETED", []]);
  expect(filesOf(scene)).toEqual(files);
  expect(await leftovers(scene)).toEqual([]);
});

test("a restore whose snapshots can be used again after a restart takes none of the volumes that were to be filled from copies", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const files = filesOf(scene);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "overwritten");
  const away = { status: 404, body: { kind: "Status", reason: "NotFound", message: "not found" } };
  scene.simulator.intercept(({ method, path }) =>
    method === "POST" && path.endsWith("/volumesnapshotcontents") ? away : undefined,
  );
  for (const { id } of restic.snapshots) restic.instead.set(id, { log: [] });
  const crn = await scene.startRestore(backup.crn);
  await scene.until(async () => (await scene.names("/apis/batch/v1/namespaces/drs/jobs")).length === 2);
  await scene.restart({ meanwhile: () => scene.simulator.intercept(undefined) });
  const restore = await scene.restored(crn);
  expect([restore.state, restore.errors]).toEqual(["COMPLETED", []]);
  expect(filesOf(scene)).toEqual(files);
  expect(await leftovers(scene)).toEqual([]);
});

test("a volume that someone deletes after a mover has filled it is filled again", async () => {
  const { restic, scene, files, backup } = await lost();
  const [{ id } = { id: "" }] = restic.snapshots;
  restic.instead.set(id, { log: [] });
  const crn = await scene.startRestore(backup.crn);
  await scene.until(async () => (await beingFilled(scene)).length === 1);
  const [claim = ""] = await beingFilled(scene);
  await scene.engine.close();
  restic.instead.clear();
  await goOn(scene);
  await scene.simulator.settled();
  const filled = Date.now();
  await scene.until(() => Math.floor(Date.now() / 1_000) > Math.floor(filled / 1_000)); // the API server tells times to the second
  await scene.remove(`/api/v1/namespaces/drs/persistentvolumeclaims/${claim}`);
  await scene.restart();
  const restore = await scene.restored(crn);
  expect([restore.state, restore.errors]).toEqual(["COMPLETED", []]);
  expect(filesOf(scene)).toEqual(files);
  expect(await leftovers(scene)).toEqual([]);
});

test("a restore that is cancelled while data is brought back leaves nothing of it", async () => {
  const { restic, scene, backup } = await lost();
  for (const { id } of restic.snapshots) restic.instead.set(id, { log: [] });
  const volumes = scene.simulator.volumes.volumeHandles();
  const crn = await scene.startRestore(backup.crn);
  await scene.until(async () => (await beingFilled(scene)).length === 2);
  scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
  const restore = await scene.restored(crn);
  expect(restore.errors.map(({ text }) => text)).toEqual(["the restore was cancelled by alice"]);
  expect(await leftovers(scene)).toEqual([]);
  await scene.until(() => scene.simulator.volumes.volumeHandles().length === volumes.length);
});
