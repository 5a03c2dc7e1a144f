import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { forgeBeside } from "../restore/forgery.ts";
import { Scene } from "../simulated-control-plane.ts";

const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const all = { backupName: "", jobStates: [], pageSize: 0, startingToken: "" };

test("a deleted backup leaves no snapshot, no archive, no object and no row", async () => {
  const scene = await Scene.open();
  const before = await scene.versions();
  const kept = await scene.backup();
  const { crn } = await scene.backup();
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(6);
  const deletion = await scene.startDeletion(crn);
  expect(scene.engine.listBackups(all).items.find((backup) => backup.crn === crn)?.state).toBe("TERMINATING");
  await scene.until(() => scene.engine.listBackups(all).items.length === 1);
  expect(scene.engine.listBackups(all).items).toEqual([expect.objectContaining({ crn: kept.crn, state: "COMPLETED" })]);
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(3);
  expect(scene.archives("backups")).toEqual([kept.crn.slice(-36)]);
  expect(await scene.names(contents)).toEqual([]);
  expect(await scene.versions()).toEqual(before);
  const log = scene.engine.getLogs(deletion);
  expect(log).toMatch(
    /DELETING_SNAPSHOTS deleted 3 snapshots[^]*DELETING_ARCHIVE deleted the archive[^]*ended COMPLETED/,
  );
});

test("a backup whose snapshot cannot be deleted stays TERMINATING and says why, and can be deleted again", async () => {
  const scene = await Scene.open({ limits: { snapshotTimeout: 400 } });
  const { crn } = await scene.backup();
  scene.simulator.intercept(({ method, path }) =>
    method === "DELETE" && path.startsWith(`${contents}/`) ? { status: 200 } : undefined,
  );
  const deletion = await scene.startDeletion(crn);
  await scene.until(() => scene.engine.getLogs(deletion).includes("job ended FAILED"));
  expect(scene.engine.describeBackup(crn).state).toBe("TERMINATING");
  const log = scene.engine.getLogs(deletion);
  for (const claim of ["cdp/cdp-artifacts", "cdp/data-cdp-embedded-db-0", "vault-system/data-vault-0"])
    expect(log).toContain(`the snapshot of claim ${claim} was not deleted: VolumeSnapshotContent drs-`);
  expect(log).toContain("some snapshots remain, and so does the archive: delete the backup again");
  expect(scene.archives("backups")).toHaveLength(1);
  await expect(scene.startRestore(crn)).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  scene.simulator.intercept(undefined);
  expect(await scene.startDeletion(crn)).not.toBe(deletion);
  await scene.until(() => scene.engine.listBackups(all).items.length === 0);
  expect(scene.simulator.volumes.snapshotHandles()).toEqual([]);
  expect(scene.archives("backups")).toEqual([]);
  expect(await scene.names(contents)).toEqual([]);
});

test("a deletion whose service is restarted in each phase is completed", async () => {
  const scene = await Scene.open({ controllerDelay: 4 });
  const { crn } = await scene.backup();
  const deletion = await scene.startDeletion(crn);
  for (const phase of ["DELETING_SNAPSHOTS", "DELETING_ARCHIVE"]) {
    await scene.until(() => scene.engine.getLogs(deletion).includes(`${phase} phase started`));
    await scene.restart();
  }
  await scene.until(() => scene.engine.listBackups(all).items.length === 0);
  expect(scene.simulator.volumes.snapshotHandles()).toEqual([]);
  expect(scene.archives("backups")).toEqual([]);
});

test("a backup that failed is deleted, too", async () => {
  const scene = await Scene.open({ sample: false });
  const { crn, state } = await scene.backup();
  expect(state).toBe("FAILED");
  await scene.startDeletion(crn);
  await scene.until(() => scene.engine.listBackups(all).items.length === 0);
});

test("a backup whose manifest is damaged is deleted with the snapshots that its service has noted", async () => {
  for (const damage of ["{", "", "no JSON"]) {
    const scene = await Scene.open();
    const kept = await scene.backup();
    const { crn } = await scene.backup();
    await writeFile(join(scene.folder, "archives/backups", crn.slice(-36), "manifest.json"), damage);
    const deletion = await scene.startDeletion(crn);
    await scene.until(() => scene.engine.getLogs(deletion).includes("job ended"));
    expect(scene.engine.getLogs(deletion)).toMatch(/manifest.json is damaged: [^]* ended COMPLETED/);
    expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(3);
    expect(scene.archives("backups")).toEqual([kept.crn.slice(-36)]);
  }
});

test("one that another service has made goes with what the cluster knows of it, and a warning", async () => {
  const scene = await Scene.open();
  const { crn } = await scene.backup();
  await scene.restart({ forgetful: true });
  await scene.until(() => scene.engine.listBackups(all).items.length === 1);
  await writeFile(join(scene.folder, "archives/backups", crn.slice(-36), "manifest.json"), "{");
  const labels = { "drs.cloudera.com/job": crn.slice(-36) };
  await scene.create(contents, {
    metadata: { name: "left", labels },
    spec: {
      driver: "simulated.csi.example",
      deletionPolicy: "Retain",
      source: { snapshotHandle: "gone" },
      volumeSnapshotRef: { name: "gone", namespace: "cdp" },
    },
  });
  const deletion = await scene.startDeletion(crn);
  await scene.until(() => scene.engine.listBackups(all).items.length === 0);
  const log = scene.engine.getLogs(deletion);
  expect(log).toMatch(
    /deleted the snapshot of VolumeSnapshotContent left[^]*its snapshots are unknown[^]*PARTIALLY_FAILED/,
  );
  expect(scene.archives("backups")).toEqual([]);
  expect(await scene.names(contents)).toEqual([]);
});

test("a deletion does not believe an archive that was exchanged: no other snapshot goes", async () => {
  const scene = await Scene.open({ isEncrypted: false });
  const kept = await scene.backup();
  const { crn } = await scene.backup();
  const { signal } = new AbortController();
  const { manifest } = await (await scene.openArchives()).open(`backups/${kept.crn.slice(-36)}`, signal);
  const folder = `backups/${crn.slice(-36)}`;
  (await forgeBeside(scene, folder, { manifest: { volumes: manifest.volumes } }))();
  const deletion = await scene.startDeletion(crn);
  await scene.until(() => scene.engine.getLogs(deletion).includes("job ended FAILED"));
  expect(scene.engine.getLogs(deletion)).toContain(
    `${folder}/manifest.json was altered: it is not the one that was written here`,
  );
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(6);
});
