import { expect, test } from "vitest";
import type { RestorePlan } from "../../../../engine/model.ts";
import { Scene, texts } from "../../simulated-control-plane.ts";
import { touched, versions } from "./versions.ts";

const inCdp = (resource: string) => `/api/v1/namespaces/cdp/${resource}`;
const configMaps = inCdp("configmaps");
const secrets = inCdp("secrets");
const deployments = "/apis/apps/v1/namespaces/cdp/deployments";
const claims = inCdp("persistentvolumeclaims");

const objects = (...selected: readonly string[]): Pick<RestorePlan, "selection"> => ({
  selection: {
    what: "objects",
    objects: selected.map((one) => {
      const [kind = "", name = ""] = one.split("/");
      return { kind, namespace: "cdp", name };
    }),
  },
});
const namespaces = (...names: readonly string[]): Pick<RestorePlan, "selection"> => ({
  selection: { what: "namespaces", namespaces: names },
});

test("of two namespaces one is restored, and nothing of the other one is touched", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await scene.change(`${configMaps}/cdp-api-config`, { data: { LOG_LEVEL: "trace" } });
  const [vaultConfig = ""] = (await scene.names("/api/v1/namespaces/vault-system/configmaps")).filter(
    (name) => name !== "kube-root-ca.crt",
  );
  const saved = await scene.get(`/api/v1/namespaces/vault-system/configmaps/${vaultConfig}`);
  await scene.change(`/api/v1/namespaces/vault-system/configmaps/${vaultConfig}`, { data: { stray: "x" } });
  const before = await versions(scene);
  const restore = await scene.restore(backup.crn, namespaces("vault-system"));
  expect({ ...restore, messages: texts([...restore.errors, ...restore.warnings]) }).toMatchObject({
    state: "COMPLETED",
    messages: [],
    includedNamespaces: ["vault-system"],
  });
  const now = await scene.get(`/api/v1/namespaces/vault-system/configmaps/${vaultConfig}`);
  expect(now["data"]).toEqual(saved["data"]);
  expect((await touched(scene, before)).filter((name) => / cdp\//.test(name))).toEqual([]);
});

test("single objects become as they were saved with what they need and lack, and nothing else is touched or stopped", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await scene.change(`${deployments}/cdp-api`, { spec: { template: { metadata: { labels: { stray: "x" } } } } });
  await scene.change(`${configMaps}/cdp-api-config`, { data: { LOG_LEVEL: "trace" } });
  await scene.change(`${configMaps}/cdp-feature-flags`, { data: { "flags.json": "{}" } });
  await scene.remove(`${secrets}/cdp-api-signing-key`);
  await scene.create(configMaps, { metadata: { name: "newer" } });
  const before = await versions(scene);
  const restore = await scene.restore(backup.crn, objects("Deployment/cdp-api"));
  expect({ state: restore.state, messages: texts([...restore.errors, ...restore.warnings]) }).toEqual({
    state: "COMPLETED",
    messages: [],
  });
  const others = (await touched(scene, before)).filter(
    (name) => !/^(Pod|ReplicaSet|EndpointSlice) cdp\/cdp-api-/.test(name),
  );
  expect(others).toEqual(["Deployment cdp/cdp-api", "Secret cdp/cdp-api-signing-key"]);
  const { spec } = await scene.get(`${deployments}/cdp-api`);
  expect(spec).toMatchObject({ replicas: 3 });
  expect(spec).not.toHaveProperty("template.metadata.labels.stray");
});

test("what is missing is added with what it needs, and what is there is left as it is", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await scene.remove(`${deployments}/cdp-console`);
  await scene.remove(`${configMaps}/cdp-branding`);
  await scene.change(`${deployments}/cdp-scheduler`, { spec: { replicas: 5 } });
  await scene.simulator.settled();
  const before = await versions(scene);
  const plan = { ...objects("Deployment/cdp-console", "deployments.apps/cdp-scheduler"), mode: "add" } as const;
  const restore = await scene.restore(backup.crn, plan);
  expect({ state: restore.state, messages: texts([...restore.errors, ...restore.warnings]) }).toEqual({
    state: "COMPLETED",
    messages: [],
  });
  const others = (await touched(scene, before)).filter(
    (name) => !/^(Pod|ReplicaSet|EndpointSlice) cdp\/cdp-console-/.test(name),
  );
  expect(others).toEqual(["ConfigMap cdp/cdp-branding", "Deployment cdp/cdp-console"]);
});

test("all that is missing of a backup is added, its data too, and nothing that is there is touched", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const saved = scene.simulator.volumes.read("cdp", "cdp-artifacts", "charts/index.yaml");
  await scene.remove(`${deployments}/cdp-environments`);
  await scene.remove(`${claims}/cdp-artifacts`);
  await scene.change(`${configMaps}/cdp-api-config`, { data: { LOG_LEVEL: "trace" } });
  await scene.simulator.settled();
  const before = await versions(scene);
  const restore = await scene.restore(backup.crn, { mode: "add" });
  expect({ state: restore.state, messages: texts([...restore.errors, ...restore.warnings]) }).toEqual({
    state: "COMPLETED",
    messages: [],
  });
  const made = /^(Pod|ReplicaSet|EndpointSlice|Deployment) cdp\/cdp-environments|^PersistentVolume /;
  expect((await touched(scene, before)).filter((name) => !made.test(name))).toEqual([
    "PersistentVolumeClaim cdp/cdp-artifacts",
  ]);
  expect(scene.simulator.volumes.read("cdp", "cdp-artifacts", "charts/index.yaml")).toEqual(saved);
});

test("a claim gets its saved data with the workload that uses it, and not while another one uses it", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const file = ["cdp", "cdp-artifacts", "charts/index.yaml"] as const;
  const saved = scene.simulator.volumes.read(...file);
  scene.simulator.volumes.write(...file, "entries: {lost}");
  const before = await versions(scene);
  const refused = await scene.restore(backup.crn, objects("PersistentVolumeClaim/cdp-artifacts"));
  expect(texts(refused.errors)[0]).toBe(
    "selected claims are in use by pods that are not selected: Deployment cdp-environments of cdp uses claim cdp-artifacts; select these, too, or stop them first",
  );
  expect(await touched(scene, before)).toEqual([]);
  const both = objects("PersistentVolumeClaim/cdp-artifacts", "Deployment/cdp-environments");
  const restore = await scene.restore(backup.crn, both);
  expect({ state: restore.state, messages: texts([...restore.errors, ...restore.warnings]) }).toEqual({
    state: "COMPLETED",
    messages: [],
  });
  expect(scene.simulator.volumes.read(...file)).toEqual(saved);
  const made = /^(Pod|ReplicaSet|EndpointSlice|Deployment) cdp\/cdp-environments|^PersistentVolume /;
  expect((await touched(scene, before)).filter((name) => !made.test(name))).toEqual([
    "PersistentVolumeClaim cdp/cdp-artifacts",
  ]);
});

test.each(["replace", "add"] as const)(
  "a partial restore that fails undoes what it has done, and no more: %s",
  async (mode) => {
    const scene = await Scene.open({ maxRefusedObjects: 0 });
    const backup = await scene.backup();
    await scene.remove(`${deployments}/cdp-console`);
    await scene.remove(`${configMaps}/cdp-branding`);
    await scene.change(`${configMaps}/cdp-api-config`, { data: { LOG_LEVEL: "trace" } });
    await scene.simulator.settled();
    const before = await versions(scene);
    let isRefused = false;
    scene.simulator.intercept(({ method, path, body, query }) => {
      if (method !== "POST" || path !== deployments || !body.includes('"cdp-console"') || query.has("dryRun"))
        return undefined;
      isRefused = true;
      return { status: 403, body: { kind: "Status", code: 403, message: "no consoles", reason: "Forbidden" } };
    });
    const plan = { ...objects("Deployment/cdp-console", "ConfigMap/cdp-api-config"), mode };
    const { state, errors } = await scene.restore(backup.crn, plan);
    expect({ state, isRefused }).toEqual({ state: "FAILED", isRefused: true });
    expect(texts(errors).at(-1)).toContain("the restore failed and was rolled back: the control plane is as before");
    const changed = mode === "replace" ? ["ConfigMap cdp/cdp-api-config"] : [];
    expect(await touched(scene, before)).toEqual(changed);
    expect((await scene.get(`${configMaps}/cdp-api-config`))["data"]).toMatchObject({ LOG_LEVEL: "trace" });
  },
);

test("what the backup does not contain is named, before anything is touched", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const before = await versions(scene);
  const refused = (plan: Partial<RestorePlan>) => scene.startRestore(backup.crn, plan);
  await expect(refused(namespaces("elsewhere"))).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "the backup has no namespace elsewhere: it has cdp, vault-system",
  });
  await expect(refused(namespaces())).rejects.toMatchObject({ message: "the selection names no namespace" });
  await expect(refused(objects())).rejects.toMatchObject({ message: "the selection names no object" });
  await expect(refused(objects("Deployment/"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const { errors } = await scene.restore(backup.crn, objects("Deployment/gone", "Gadget/one"));
  expect(texts(errors)[0]).toBe(
    "the backup does not contain Deployment cdp/gone, Gadget cdp/one (nor any other Gadget): select objects it contains, by kind (Deployment, or deployments.apps), namespace and name",
  );
  expect(await touched(scene, before)).toEqual([]);
});

test("two restores of one backup with different plans are two, the same one twice is one", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const first = await scene.startRestore(backup.crn);
  const one = await scene.startRestore(backup.crn, namespaces("vault-system"));
  const again = await scene.startRestore(backup.crn, namespaces("vault-system"));
  expect(one).not.toBe(first);
  expect(again).toBe(one);
  await scene.restored(one);
});
