import { expect, test } from "vitest";
import { type RestorePlan, restorePhases } from "../../../../engine/model.ts";
import { Scene, texts } from "../../simulated-control-plane.ts";
import { touched, versions } from "./versions.ts";

const caller = { name: "", requestId: "" };
const configMaps = "/api/v1/namespaces/cdp/configmaps";
const deployments = "/apis/apps/v1/namespaces/cdp/deployments";
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const file = ["cdp", "cdp-artifacts", "charts/index.yaml"] as const;
const selection: RestorePlan["selection"] = {
  what: "objects",
  objects: [
    { kind: "Deployment", namespace: "cdp", name: "cdp-environments" },
    { kind: "PersistentVolumeClaim", namespace: "cdp", name: "cdp-artifacts" },
    { kind: "ConfigMap", namespace: "cdp", name: "cdp-branding" },
  ],
};

/** The restore's end, when its service was ended in each phase and started again. */
async function restarted(scene: Scene, crn: string) {
  for (const phase of restorePhases) {
    await scene.until(() => scene.engine.getLogs(crn).includes(`${phase} phase started`));
    await scene.restart();
  }
  const { state, errors, warnings } = await scene.restored(crn);
  return { state, messages: texts([...errors, ...warnings]) };
}

test("a restore of single objects whose service is restarted in each phase touches no others", async () => {
  const scene = await Scene.open({ controllerDelay: 4 });
  const backup = await scene.backup();
  const saved = scene.simulator.volumes.read(...file);
  scene.simulator.volumes.write(...file, "entries: {lost}");
  await scene.remove(`${configMaps}/cdp-branding`);
  await scene.change(`${configMaps}/cdp-api-config`, { data: { LOG_LEVEL: "trace" } });
  const before = await versions(scene);
  const crn = await scene.startRestore(backup.crn, { selection });
  expect(await restarted(scene, crn)).toEqual({ state: "COMPLETED", messages: [] });
  expect(scene.simulator.volumes.read(...file)).toEqual(saved);
  const its = /^(Pod|ReplicaSet|EndpointSlice|Deployment) cdp\/cdp-environments|^PersistentVolume /;
  expect((await touched(scene, before)).filter((name) => !its.test(name))).toEqual([
    "ConfigMap cdp/cdp-branding",
    "PersistentVolumeClaim cdp/cdp-artifacts",
  ]);
});

test("a restore that adds what is missing, restarted in each phase, leaves all that is there", async () => {
  const scene = await Scene.open({ controllerDelay: 4 });
  const backup = await scene.backup();
  await scene.remove(`${configMaps}/cdp-branding`);
  await scene.remove(`${deployments}/cdp-console`);
  await scene.change(`${configMaps}/cdp-api-config`, { data: { LOG_LEVEL: "trace" } });
  await scene.simulator.settled();
  const before = await versions(scene);
  const crn = await scene.startRestore(backup.crn, { mode: "add" });
  expect(await restarted(scene, crn)).toEqual({ state: "COMPLETED", messages: [] });
  const its = /^(Pod|ReplicaSet|EndpointSlice|Deployment) cdp\/cdp-console/;
  expect((await touched(scene, before)).filter((name) => !its.test(name))).toEqual(["ConfigMap cdp/cdp-branding"]);
});

test("a scratch restore and its removal, restarted in each phase, leave no trace", async () => {
  const scene = await Scene.open({ controllerDelay: 4 });
  const backup = await scene.backup();
  const before = await versions(scene);
  const mapping = { cdp: "drill", "vault-system": "drill-vault" };
  const crn = await scene.startRestore(backup.crn, { mode: "scratch", mapping });
  expect(await restarted(scene, crn)).toEqual({ state: "COMPLETED", messages: [] });
  expect(scene.simulator.volumes.read("drill", ...(file.slice(1) as ["cdp-artifacts", "charts/index.yaml"]))).toEqual(
    scene.simulator.volumes.read(...file),
  );
  const removal = await scene.engine.removeScratch({ restoreCrn: crn, caller });
  await scene.until(() => scene.engine.getLogs(removal).includes("DELETING_OBJECTS phase started"));
  await scene.restart();
  expect(await scene.restored(removal)).toMatchObject({ state: "COMPLETED", errors: [], warnings: [] });
  expect(await touched(scene, before)).toEqual([]);
  expect(await scene.names(contents)).toEqual([]);
});

test("a restore of single objects that fails gives a claim its former data back", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  scene.simulator.volumes.write(...file, "entries: {newer}");
  await scene.remove(`${configMaps}/cdp-branding`);
  await scene.simulator.settled();
  const before = await versions(scene);
  scene.simulator.intercept(({ method, path, query }) =>
    method === "POST" && path === configMaps && !query.has("dryRun")
      ? { status: 403, body: { kind: "Status", code: 403, message: "no settings", reason: "Forbidden" } }
      : undefined,
  );
  const { state, errors } = await scene.restore(backup.crn, { selection });
  expect({ state, last: texts(errors).at(-1) }).toEqual({
    state: "FAILED",
    last: "the restore failed and was rolled back: the control plane is as before",
  });
  expect(String(scene.simulator.volumes.read(...file))).toContain("newer");
  const its = /^(Pod|ReplicaSet|EndpointSlice|Deployment) cdp\/cdp-environments|^PersistentVolume /;
  expect((await touched(scene, before)).filter((name) => !its.test(name))).toEqual([
    "PersistentVolumeClaim cdp/cdp-artifacts",
  ]);
});

test("what answers the API server's calls is not stopped by a restore of single objects", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const before = await versions(scene);
  const objects = [{ kind: "Deployment", namespace: "cdp", name: "cdp-environments" }];
  await scene.create("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {
    metadata: { name: "strict" },
    webhooks: [
      {
        name: "strict.cdp.example",
        clientConfig: { service: { namespace: "cdp", name: "cdp-environments" } },
        failurePolicy: "Fail",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        rules: [{ apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] }],
      },
    ],
  });
  const { state, errors } = await scene.restore(backup.crn, { selection: { what: "objects", objects } });
  expect(state).toBe("FAILED");
  expect(texts(errors)[0]).toContain("Deployment cdp-environments of cdp (webhook strict.cdp.example)");
  expect(await touched(scene, before)).toEqual(["ValidatingWebhookConfiguration /strict"]);
});
