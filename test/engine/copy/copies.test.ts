import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { uuidOf } from "../../../engine/crn.ts";
import {
  copiedFiles,
  copies,
  copyingScene,
  copyOf,
  ends,
  fillNamespace,
  filesOf,
  goOn,
  leftovers,
} from "./copying-scene.ts";
import { SimulatedRestic } from "./simulated-restic.ts";

const database = "/volumes/cdp/data-cdp-embedded-db-0";

test("the volumes of a backup are copied after it, and nothing that it took stays in the cluster", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const volumes = scene.simulator.volumes.volumeHandles();
  const files = filesOf(scene);
  const backup = await scene.backup();
  expect(backup.state).toBe("COMPLETED");
  const crn = copyOf(scene, backup.crn);
  await ends(scene, crn);
  expect(scene.engine.getLogs(crn)).toContain("job ended COMPLETED");
  expect(copiedFiles(restic)).toEqual(files);
  expect(restic.snapshots.map(({ host }) => host)).toEqual(["cdp", "cdp", "cdp"]);
  expect(restic.snapshots.flatMap(({ tags }) => tags)).toContain("drs-claim:vault-system/data-vault-0");
  expect(await leftovers(scene)).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(volumes);
  expect(scene.engine.describeBackup(backup.crn).warnings).toEqual([]);
  expect(scene.engine.countUncopiedVolumes()).toBe(0);
  const archives = await scene.openArchives();
  const noted = await archives.copies(`backups/${uuidOf(backup.crn)}`, new AbortController().signal);
  expect(noted?.volumes.map(({ snapshotId }) => snapshotId).sort()).toEqual(
    restic.snapshots.map(({ id }) => id).sort(),
  );
});

test("a volume that is not copied is a warning on its backup and counted, and the others are copied", async () => {
  const restic = new SimulatedRestic();
  const failure = '{"message_type":"exit_error","code":11,"message":"Fatal: unable to create lock"}';
  restic.instead.set(database, { exitCode: 11, log: [failure] });
  const scene = await copyingScene(restic);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  const { state, warnings } = scene.engine.describeBackup(backup.crn);
  expect(state).toBe("COMPLETED");
  expect(warnings.map(({ namespace, text }) => `${namespace}: ${text}`)).toEqual([
    expect.stringMatching(
      /^cdp: the data of claim data-cdp-embedded-db-0 was not copied.*the repository is locked.*\(unable to create lock\)$/,
    ),
  ]);
  expect(scene.engine.countUncopiedVolumes()).toBe(1);
  expect(restic.snapshots).toHaveLength(2);
  expect(await leftovers(scene)).toEqual([]);
});

test("a copy goes on after a restart with the movers that run, and copies nothing twice", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(database, { log: [] });
  const scene = await copyingScene(restic);
  const files = filesOf(scene);
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(() => restic.snapshots.length === 2);
  await scene.restart({ meanwhile: () => restic.instead.delete(database) });
  await goOn(scene);
  await ends(scene, crn);
  expect(scene.engine.getLogs(crn)).toContain("job ended COMPLETED");
  expect(copiedFiles(restic)).toEqual(files);
  expect(restic.snapshots).toHaveLength(3);
  expect(await leftovers(scene)).toEqual([]);
});

test("a copy that goes on with another repository notes nothing that a mover writes to the former one", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(database, { log: [] });
  const scene = await copyingScene(restic);
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(() => restic.snapshots.length === 2);
  const repository = "s3:https://objects.example/another";
  await scene.restart({ copies: { ...copies, repository }, meanwhile: () => restic.instead.delete(database) });
  await goOn(scene);
  await ends(scene, crn);
  const archives = await scene.openArchives();
  const noted = await archives.copies(`backups/${uuidOf(backup.crn)}`, new AbortController().signal);
  expect(noted?.repository).toBe(repository);
  const there = restic.snapshots.filter((snapshot) => snapshot.repository === repository).map(({ id }) => id);
  expect(noted?.volumes.map(({ snapshotId }) => snapshotId).sort()).toEqual(there.sort());
  expect(there).toHaveLength(3);
  expect(await leftovers(scene)).toEqual([]);
  expect(noted?.former).toMatchObject([{ repository: copies.repository }]);
  const deletion = await scene.startDeletion(backup.crn);
  await ends(scene, deletion);
  expect(scene.engine.getLogs(deletion)).toContain(
    `copies of its volumes stay in the repository ${copies.repository}, which is not the service's: restic forget --tag drs-backup:${uuidOf(backup.crn)}`,
  );
  expect(scene.engine.getLogs(deletion)).toContain("its volumes' copies are forgotten");
});

test("a backup that an empty database has found is copied as far as it is not", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(database, { exitCode: 11, log: [] });
  const scene = await copyingScene(restic);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  expect(restic.snapshots).toHaveLength(2);
  restic.instead.delete(database);
  await scene.restart({ forgetful: true });
  await ends(scene, copyOf(scene, backup.crn));
  expect(restic.snapshots).toHaveLength(3);
  expect(scene.engine.countUncopiedVolumes()).toBe(0);
  expect(await leftovers(scene)).toEqual([]);
});

test("a repository that has copies and is gone is not made anew, and keeps its backups from being deleted, until it is back", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const first = await scene.backup();
  await ends(scene, copyOf(scene, first.crn));
  restic.isThere = false; // a folder that is not mounted, for example
  const second = await scene.backup();
  const crn = copyOf(scene, second.crn);
  await ends(scene, crn);
  expect(scene.engine.getLogs(crn)).toContain(
    `the repository ${copies.repository} cannot be opened: there is no repository: see --copies-repository`,
  );
  const deletion = await scene.startDeletion(first.crn);
  await ends(scene, deletion);
  expect(scene.engine.getLogs(deletion)).toContain(
    "the copies of its volumes were not forgotten: there is no repository",
  );
  expect(restic.isThere).toBe(false);
  restic.isThere = true;
  const again = await scene.startDeletion(first.crn);
  await ends(scene, again);
  expect(scene.engine.getLogs(again)).toContain("its volumes' copies are forgotten");
  expect(restic.snapshots).toEqual([]);
  expect(await leftovers(scene)).toEqual([]);
});

test("a copy that goes on with another namespace for its movers leaves nothing in the former one", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(database, { log: [] });
  const scene = await copyingScene(restic);
  await scene.create("/api/v1/namespaces", { metadata: { name: "movers" } });
  const volumes = scene.simulator.volumes.volumeHandles();
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(() => restic.snapshots.length === 2);
  restic.instead.delete(database);
  await scene.restart({ flags: { fillNamespace: "movers" } });
  await ends(scene, crn);
  expect(scene.engine.getLogs(crn)).toContain("job ended COMPLETED");
  expect(await leftovers(scene)).toEqual([]);
  expect(await leftovers(scene, "movers")).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(volumes);
});

test("a copy whose archive's file about copies is damaged copies again what that named", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(database, { log: [] });
  const scene = await copyingScene(restic);
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(() => restic.snapshots.length === 2);
  const file = join(scene.folder, "archives/backups", uuidOf(backup.crn), "copies.json");
  await scene.restart({
    meanwhile: () => {
      writeFileSync(file, "{");
      restic.instead.delete(database);
    },
  });
  await goOn(scene);
  await ends(scene, crn);
  expect(scene.engine.getLogs(crn)).toContain("job ended COMPLETED");
  const archives = await scene.openArchives();
  const noted = await archives.copies(`backups/${uuidOf(backup.crn)}`, new AbortController().signal);
  expect(noted?.volumes).toHaveLength(3);
});

test("a restore does not wait for a copy, which goes on after it", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(database, { log: [] });
  const scene = await copyingScene(restic);
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(() => restic.snapshots.length === 2);
  const restore = await scene.restore(backup.crn);
  expect([restore.state, restore.errors]).toEqual(["COMPLETED", []]);
  expect(scene.engine.getLogs(crn)).toContain(`stands aside for restore ${restore.crn}`);
  expect(scene.engine.getLogs(crn)).not.toContain("job ended");
  restic.instead.delete(database);
  await goOn(scene);
  await ends(scene, crn);
  expect(restic.snapshots).toHaveLength(3);
});

test("the copies of a backup that an empty database has found stay as they are where the repository has another URL by now", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  await scene.restart({ forgetful: true, copies: { ...copies, repository: "s3:https://moved.example/bucket" } });
  const crn = copyOf(scene, backup.crn);
  await ends(scene, crn);
  expect(scene.engine.getLogs(crn)).toContain("they stay as they are");
  const archives = await scene.openArchives();
  const noted = await archives.copies(`backups/${uuidOf(backup.crn)}`, new AbortController().signal);
  expect([noted?.repository, noted?.volumes.length]).toEqual([copies.repository, 3]);
  expect(restic.snapshots).toHaveLength(3);
});

test("a copy that is cancelled while the driver makes a volume for it leaves none, though the class retains them", async () => {
  const scene = await copyingScene(new SimulatedRestic());
  scene.simulator.volumes.slowDown(1_500);
  const classes = "/apis/storage.k8s.io/v1/storageclasses";
  for (const name of await scene.names(classes)) {
    const { metadata, ...rest } = await scene.get(`${classes}/${name}`);
    await scene.remove(`${classes}/${name}`);
    await scene.create(classes, { ...rest, metadata: { name: metadata.name }, reclaimPolicy: "Retain" });
  }
  const volumes = scene.simulator.volumes.volumeHandles();
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  const clones = `/api/v1/namespaces/${fillNamespace}/persistentvolumeclaims`;
  await scene.until(async () => (await scene.names(clones)).length === 2);
  scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
  await ends(scene, crn);
  await scene.until(() => !scene.simulator.volumes.areFilling);
  expect(await leftovers(scene)).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(volumes);
  expect(await scene.names("/api/v1/persistentvolumes")).toHaveLength(volumes.length);
});

test("a deletion forgets the copies of its backup only, also when an empty database has found it", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const [first, second] = [await scene.backup(), await scene.backup()];
  for (const { crn } of [first, second]) await ends(scene, copyOf(scene, crn));
  expect(restic.snapshots).toHaveLength(6);
  await scene.restart({ forgetful: true });
  for (const { crn } of [first, second]) await ends(scene, copyOf(scene, crn));
  const deletion = await scene.startDeletion(first.crn);
  await ends(scene, deletion);
  expect(scene.engine.getLogs(deletion)).toContain("job ended COMPLETED");
  const tags = new Set(restic.snapshots.map(({ tags: [tag] }) => tag));
  expect(tags).toEqual(new Set([`drs-backup:${uuidOf(second.crn)}`]));
  expect(await leftovers(scene)).toEqual([]);
  expect(scene.archives("backups")).toEqual([uuidOf(second.crn)]);
});

test("a deletion ends the movers of another backup's copy, which recreates them after it", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const first = await scene.backup();
  await ends(scene, copyOf(scene, first.crn));
  restic.instead.set(database, { log: [] });
  const second = await scene.backup();
  const crn = copyOf(scene, second.crn);
  await scene.until(() => restic.snapshots.length === 5);
  const deletion = await scene.startDeletion(first.crn);
  await ends(scene, deletion);
  expect(scene.engine.getLogs(deletion)).toContain("job ended COMPLETED");
  restic.instead.delete(database);
  await goOn(scene);
  await ends(scene, crn);
  expect(scene.engine.getLogs(crn)).toContain("job ended COMPLETED");
  expect(restic.snapshots).toHaveLength(3);
  expect(await leftovers(scene)).toEqual([]);
});

test("movers reach a repository at the address of a Service, by its pods: what they send to is judged by those", async () => {
  const restic = new SimulatedRestic();
  restic.instead.set(database, { log: [] });
  const scene = await copyingScene(restic);
  await scene.create("/api/v1/namespaces", { metadata: { name: "storage" } });
  const service = await scene.create("/api/v1/namespaces/storage/services", {
    metadata: { name: "minio" },
    spec: { ports: [{ port: 9_000, targetPort: 9_001 }] },
  });
  const { clusterIP } = service["spec"] as { clusterIP: string };
  await scene.restart({ copies: { ...copies, repository: `s3:http://${clusterIP}:9000/drs` } });
  await scene.backup();
  await scene.until(() => restic.snapshots.length === 2);
  const policies = `/apis/networking.k8s.io/v1/namespaces/${fillNamespace}/networkpolicies`;
  const [name = ""] = await scene.names(policies);
  const { egress } = (await scene.get(`${policies}/${name}`))["spec"] as { egress: readonly object[] };
  expect(egress[1]).toEqual({
    to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "storage" } } }],
  });
});

test("a deletion that cannot start its mover fails, and leaves nothing of what the mover needs", async () => {
  const scene = await copyingScene(new SimulatedRestic());
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  scene.simulator.intercept(({ method, path }) =>
    method === "POST" && path.endsWith("/jobs")
      ? { status: 403, body: { kind: "Status", code: 403, message: "no jobs", reason: "Forbidden" } }
      : undefined,
  );
  const deletion = await scene.startDeletion(backup.crn);
  await ends(scene, deletion);
  expect(scene.engine.getLogs(deletion)).toContain("job ended FAILED");
  expect(await leftovers(scene)).toEqual([]);
});
