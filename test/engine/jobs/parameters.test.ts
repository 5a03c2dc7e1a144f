import { expect, test } from "vitest";
import { parametersFrom, parametersOf } from "../../../engine/jobs/parameters.ts";
import { openStore } from "../../../engine/store/store.ts";
import type { Scene as AnyScene } from "../simulated-control-plane.ts";
import { Scene, texts } from "../simulated-control-plane.ts";
import { engineConfig } from "../small-engine.ts";

const classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
const settings = "/api/v1/namespaces/cdp/configmaps";

async function withFurther(): Promise<AnyScene> {
  const furtherObjects = [{ resource: "priorityclasses.scheduling.k8s.io", name: "theirs" }];
  const scene = await Scene.open({ furtherNamespaces: ["monitoring"], furtherObjects });
  await scene.create("/api/v1/namespaces", { metadata: { name: "monitoring" } });
  await scene.create(classes, { metadata: { name: "theirs" }, value: 7 });
  return scene;
}

/** The description of a backup once it is over. */
async function finished(scene: AnyScene, crn: string) {
  await scene.until(() => scene.engine.describeBackup(crn).phase === "FINISHED");
  return scene.engine.describeBackup(crn);
}

/** Writes over the parameters of all jobs. */
const rewrite = (scene: AnyScene, parameters: string | null) => () => {
  const store = openStore(scene.databasePath);
  store.database.prepare<object>("UPDATE job SET parameters = @parameters").run({ parameters });
  store.database.close();
};

const none = { furtherNamespaces: [], furtherObjects: [] };

test("a backup saves what it was asked to save, whatever the flags of the service that runs it", async () => {
  const scene = await withFurther();
  const crn = await scene.startBackup();
  await scene.restart({ flags: none });
  const { state, includedNamespaces } = await finished(scene, crn);
  expect({ state, includedNamespaces }).toEqual({
    state: "COMPLETED",
    includedNamespaces: ["cdp", "vault-system", "monitoring"],
  });
  expect(scene.engine.getLogs(crn)).toContain("saved 2 priorityclasses.scheduling.k8s.io");
});

test("a restore goes by the flags of the service that recorded it", async () => {
  const scene = await withFurther();
  await scene.create(settings, { metadata: { name: "theme" } });
  const { crn: backupCrn } = await scene.backup();
  await scene.remove(`${settings}/theme`);
  const crn = await scene.startRestore(backupCrn);
  await scene.restart({ flags: { ...none, maxRefusedObjects: 0 } });
  scene.simulator.intercept(({ method, path, body }) =>
    method === "POST" && path === settings && body.includes('"theme"')
      ? { status: 403, body: { kind: "Status", code: 403, message: "no themes", reason: "Forbidden" } }
      : undefined,
  );
  const { errors, includedNamespaces } = await scene.restored(crn);
  expect(includedNamespaces).toContain("monitoring");
  expect(texts(errors)).toEqual([
    expect.stringMatching(/^cdp: ConfigMap theme was not restored: .* no themes$/u),
    expect.stringContaining("not everything was restored"),
  ]);
});

test("a job that a service from before there were parameters has recorded goes by the flags of the one that runs it", async () => {
  const scene = await withFurther();
  const crn = await scene.startBackup();
  await scene.restart({ flags: none, meanwhile: rewrite(scene, null) });
  expect(await finished(scene, crn)).toMatchObject({
    state: "COMPLETED",
    includedNamespaces: ["cdp", "vault-system"],
  });
});

test("a job with parameters of a version that this program does not know fails, and says so", async () => {
  const scene = await withFurther();
  const crn = await scene.startBackup();
  await scene.restart({ meanwhile: rewrite(scene, '{"version":2}') });
  const { state, errors } = await finished(scene, crn);
  expect(state).toBe("FAILED");
  expect(texts(errors)[0]).toBe(
    "the job has parameters of version 2, but this version of the service knows only version 1: start the one that recorded it",
  );
});

test("a restore keeps the storage classes and the preference that it was recorded with, and one from before has none", () => {
  const flags = engineConfig("");
  const now = { storageClassMap: { old: "new" }, prefer: "copy" } as const;
  const { restore } = parametersFrom("", { ...flags, restore: { ...flags.restore, ...now } });
  const later = (parameters: object) =>
    parametersOf("restore", { itemName: "", parameters: JSON.stringify(parameters) }, flags);
  expect(later(restore)).toMatchObject(now);
  const plan = { ...restore.plan, mode: "add" };
  const before = later({ ...restore, storageClassMap: undefined, prefer: undefined, plan, version: 2 });
  expect([before.version, before.plan, before.storageClassMap, before.prefer]).toEqual([3, plan, undefined, undefined]);
});

test("a restore that was recorded before there were plans is one of all, to where it was saved", () => {
  const flags = engineConfig("");
  const { plan: _plan, ...before } = parametersFrom("", flags).restore;
  const parameters = JSON.stringify({ ...before, version: 1, maxRefusedObjects: 3 });
  expect(parametersOf("restore", { itemName: "", parameters }, flags)).toEqual({
    ...before,
    maxRefusedObjects: 3,
    plan: { selection: { what: "all" }, mode: "replace", mapping: {} },
  });
  expect(() => parametersOf("restore", { itemName: "", parameters: '{"version":4}' }, flags)).toThrow(
    "the job has parameters of version 4, but this version of the service knows only version 3",
  );
});
