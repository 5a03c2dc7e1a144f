import Sqlite from "better-sqlite3";
import { expect, test } from "vitest";
import { namespaces, noAnswer, Scene, texts } from "../simulated-control-plane.ts";
import { admin, bindings, everybody, type Forgery, forgeBeside } from "./forgery.ts";

const folderOf = (crn: string) => `backups/${crn.slice(-36)}`;
const evil = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/evil";

/** Empties a namespace that is none of the control plane's, and makes everybody an administrator. */
const forgery: Forgery = {
  type: bindings,
  object: { metadata: { name: "evil" }, subjects: [everybody], roleRef: admin },
  manifest: { includedNamespaces: [...namespaces, "other"] },
};

async function openScene(options: { isEncrypted?: boolean; readsUnencrypted?: boolean }): Promise<Scene> {
  const scene = await Scene.open(options);
  await scene.create("/api/v1/namespaces", { metadata: { name: "other" } });
  await scene.create("/api/v1/namespaces/other/configmaps", { metadata: { name: "precious" } });
  return scene;
}

async function expectNothingElseTouched(scene: Scene): Promise<void> {
  expect(await scene.names("/api/v1/namespaces/other/configmaps")).toContain("precious");
  await expect(scene.get(evil)).rejects.toThrow(/not found/);
}

/** Takes away what the database knows of archives, as one that the version before has left. */
function forgetArchives(scene: Scene): void {
  const sqlite = new Sqlite(scene.databasePath);
  expect(sqlite.prepare("DELETE FROM archive").run().changes).toBeGreaterThan(0);
  sqlite.close();
}

test.each([
  { phase: "STOPPING_APPS", method: "PATCH", path: /\/deployments\// },
  { phase: "DELETING_OBJECTS", method: "DELETE", path: /\/configmaps/ },
  { phase: "RESTORING_PVC", method: "POST", path: /\/persistentvolumeclaims$/ },
])("an archive that is exchanged in $phase is not trusted: the restore rolls back", async ({ phase, method, path }) => {
  const scene = await openScene({ isEncrypted: false });
  const { crn: backupCrn } = await scene.backup();
  const exchange = await forgeBeside(scene, folderOf(backupCrn), forgery);
  await scene.create("/api/v1/namespaces/cdp/configmaps", { metadata: { name: "later" } });
  const crn = await scene.startRestore(backupCrn);
  let isExchanged = false;
  scene.simulator.intercept((request) => {
    if (isExchanged || request.method !== method || !path.test(request.path)) return undefined;
    if (!scene.engine.getLogs(crn).includes(`${phase} phase started`)) return undefined;
    isExchanged = true;
    exchange();
    return undefined;
  });
  const restore = await scene.restored(crn);
  expect(isExchanged).toBe(true);
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(/manifest\.json was altered: it is not the one that was written here/),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  await expectNothingElseTouched(scene);
});

test("a safety archive that is exchanged is not trusted: the rollback says where everything is", async () => {
  const scene = await openScene({ isEncrypted: false });
  const { crn: backupCrn } = await scene.backup();
  const crn = await scene.startRestore(backupCrn);
  const safety = `safety/${crn.slice(-36)}`;
  let isStopping = false;
  scene.simulator.intercept(({ method, path, query }) => {
    if (method !== "PATCH" || !path.includes("/deployments/") || query.has("dryRun")) return undefined;
    isStopping = true;
    return noAnswer;
  });
  await scene.until(() => isStopping);
  await scene.engine.close();
  scene.simulator.intercept(undefined);
  const exchange = await forgeBeside(scene, folderOf(backupCrn), forgery);
  const exchangeSafety = await forgeBeside(scene, safety, forgery);
  exchange();
  exchangeSafety();
  await scene.restart();
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringContaining(`${folderOf(backupCrn)}/manifest.json was altered`),
    expect.stringMatching(
      new RegExp(`the rollback failed, too: ${safety}/manifest.json was altered: .*The objects that`),
    ),
  ]);
  await expectNothingElseTouched(scene);
});

test("a restore that the version before has begun goes on, and its archive is not exchanged from then on", async () => {
  const scene = await openScene({ isEncrypted: false });
  const { crn: backupCrn } = await scene.backup();
  const crn = await scene.startRestore(backupCrn);
  await scene.until(() => scene.engine.getLogs(crn).includes("STOPPING_APPS phase started"));
  await scene.engine.close();
  forgetArchives(scene);
  await scene.restart();
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  (await forgeBeside(scene, folderOf(backupCrn), forgery))();
  expect(texts((await scene.restore(backupCrn)).errors)).toEqual([
    expect.stringMatching(/manifest\.json was altered: it is not the one that was first found here/),
  ]);
  await expectNothingElseTouched(scene);
});

test.each([
  { who: "by this version", forgets: false, word: "written" },
  { who: "by the version before", forgets: true, word: "first found" },
])("a backup that was encrypted $who is not replaced by one in clear text", async ({ forgets, word }) => {
  const scene = await openScene({ readsUnencrypted: true });
  const { crn: backupCrn } = await scene.backup();
  if (forgets) {
    await scene.engine.close();
    forgetArchives(scene);
    await scene.restart();
  }
  const before = await scene.versions();
  (await forgeBeside(scene, folderOf(backupCrn), forgery))();
  await scene.restart();
  const { crn, errors } = await scene.restore(backupCrn);
  expect(texts(errors)).toEqual([
    expect.stringMatching(new RegExp(`manifest\\.json was altered: it is not the one that was ${word} here`)),
  ]);
  expect(scene.engine.getLogs(crn)).toContain("nothing in the namespaces was touched");
  expect(await scene.versions()).toEqual(before);
  await expectNothingElseTouched(scene);
});

test("a backup in clear text that the service only finds is restored as before", async () => {
  const scene = await openScene({ readsUnencrypted: true });
  const { crn } = await scene.backup();
  (await forgeBeside(scene, folderOf(crn), { manifest: { backupName: "older" } }))();
  await scene.restart({ forgetful: true });
  expect(scene.engine.describeBackup(crn).name).toBe("older");
  expect(texts((await scene.restore(crn)).errors)).toEqual([]);
});
