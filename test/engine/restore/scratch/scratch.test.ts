import { expect, test } from "vitest";
import type { RestorePlan } from "../../../../engine/model.ts";
import { Scene, texts } from "../../simulated-control-plane.ts";
import { touched, versions } from "../plan/versions.ts";

const scratch: Partial<RestorePlan> = { mode: "scratch", mapping: { cdp: "drill", "vault-system": "drill-vault" } };
const caller = { name: "", requestId: "" };
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const deployments = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/deployments`;

const no = (message: string) => ({ status: 403, body: { kind: "Status", code: 403, message, reason: "Forbidden" } });

async function removed(scene: Scene, restoreCrn: string) {
  return scene.restored(await scene.engine.removeScratch({ restoreCrn, caller }));
}

test("a scratch restore makes the control plane once more beside itself, touches nothing else, and goes again without a trace", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const file = scene.simulator.volumes.read("cdp", "cdp-artifacts", "charts/index.yaml");
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "entries: {newer}");
  const before = await versions(scene);
  const files = await scene.picture();

  const restore = await scene.restore(backup.crn, scratch);
  expect({ ...restore, messages: texts([...restore.errors, ...restore.warnings]) }).toMatchObject({
    state: "COMPLETED",
    messages: [],
    includedNamespaces: ["drill", "drill-vault"],
  });
  const its = / drill(-vault)?\/|^Namespace \/drill|^PersistentVolume /;
  expect((await touched(scene, before)).filter((name) => !its.test(name))).toEqual([]);
  expect((await scene.picture()).files).toEqual(files.files);
  expect(await scene.names(deployments("drill"))).toEqual(await scene.names(deployments("cdp")));
  expect(scene.simulator.volumes.read("drill", "cdp-artifacts", "charts/index.yaml")).toEqual(file);
  expect(await scene.names(contents)).toEqual([]);

  expect(await removed(scene, restore.crn)).toMatchObject({ state: "COMPLETED", errors: [], warnings: [] });
  expect(await touched(scene, before)).toEqual([]);
});

test("what a copy cannot have of its own is left out of it, or made its own", async () => {
  const scene = await Scene.open();
  const path = "/api/v1/namespaces/cdp/services";
  await scene.create(path, {
    metadata: { name: "outside", annotations: { "external-dns.alpha.kubernetes.io/hostname": "cdp.example" } },
    spec: { type: "LoadBalancer", externalIPs: ["192.0.2.1"], ports: [{ port: 80 }], selector: { app: "cdp-api" } },
  });
  await scene.create("/api/v1/namespaces/cdp/configmaps", {
    metadata: { name: "held", finalizers: ["example.com/tears-down"] },
  });
  const backup = await scene.backup();
  const restore = await scene.restore(backup.crn, scratch);
  expect({ state: restore.state, messages: texts([...restore.errors, ...restore.warnings]) }).toEqual({
    state: "COMPLETED",
    messages: [],
  });
  const { spec, metadata } = await scene.get("/api/v1/namespaces/drill/services/outside");
  expect(spec).toMatchObject({ type: "ClusterIP" });
  expect(spec).not.toHaveProperty("externalIPs");
  expect(metadata).not.toHaveProperty("annotations");
  const api = await scene.get("/api/v1/namespaces/drill/services/cdp-api");
  expect((api["spec"] as { clusterIP: string }).clusterIP).not.toBe(
    ((await scene.get(`${path}/cdp-api`))["spec"] as { clusterIP: string }).clusterIP,
  );
  expect((await scene.get("/api/v1/namespaces/drill/configmaps/held")).metadata).not.toHaveProperty("finalizers");
  expect(await scene.names("/apis/networking.k8s.io/v1/namespaces/drill/ingresses")).toEqual([]);
  const binding = await scene.get("/apis/rbac.authorization.k8s.io/v1/namespaces/drill/rolebindings/cdp-api");
  expect(binding["subjects"]).toEqual([expect.objectContaining({ name: "cdp-api", namespace: "drill" })]);
  await scene.create("/api/v1/namespaces/drill/configmaps", {
    metadata: { name: "stuck", finalizers: ["example.com/never"] },
  });
  const removal = await removed(scene, restore.crn);
  expect({ state: removal.state, messages: texts([...removal.errors, ...removal.warnings]) }).toEqual({
    state: "PARTIALLY_FAILED",
    messages: [expect.stringContaining("ConfigMap stuck (example.com/never)")],
  });
});

test("a scratch restore that fails leaves no trace", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  const before = await versions(scene);
  scene.simulator.intercept(({ method, path }) =>
    method === "POST" && path === deployments("drill")
      ? { status: 403, body: { kind: "Status", code: 403, message: "no drills", reason: "Forbidden" } }
      : undefined,
  );
  const { state, errors } = await scene.restore(backup.crn, scratch);
  expect(state).toBe("FAILED");
  expect(texts(errors).at(-1)).toBe("the scratch restore failed, and its objects in drill, drill-vault were removed");
  expect(await touched(scene, before)).toEqual([]);
  expect(await scene.names(contents)).toEqual([]);
});

test("a scratch restore that fails and may not delete a snapshot's object leaves that alone, and names it", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup("vault-system");
  const before = await versions(scene);
  scene.simulator.intercept(({ method, path }) => {
    if (method === "POST" && path === "/apis/apps/v1/namespaces/drill/statefulsets") return no("no drills");
    return method === "DELETE" && path.startsWith(contents) ? no("kept for the audit") : undefined;
  });
  const { state, errors } = await scene.restore(backup.crn, { mode: "scratch", mapping: { "vault-system": "drill" } });
  expect(state).toBe("FAILED");
  expect(await touched(scene, before)).toEqual([]);
  const left = await scene.names(contents);
  expect(left).toHaveLength(1);
  expect(texts(errors).at(-1)).toMatch(new RegExp(`${left.join()}: .*kept for the audit.*; remove drill when`));
});

test("namespaces that are there, or go nowhere, or two of them to one, are named before anything is made", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const start = (mapping: RestorePlan["mapping"], more: Partial<RestorePlan> = {}) =>
    scene.startRestore(backup.crn, { ...scratch, mapping, ...more });
  const one = { selection: { what: "namespaces", namespaces: ["cdp"] } } as const;
  await expect(start({ cdp: "drill" })).rejects.toThrow("maps each namespace, but vault-system has no target");
  await expect(start({ cdp: "drill", "vault-system": "drill" })).rejects.toThrow(
    "cdp and vault-system cannot both go to drill",
  );
  await expect(start({ cdp: "vault-system" }, one)).rejects.toThrow("cdp cannot go to vault-system");
  await expect(start({ cdp: "Drill" }, one)).rejects.toThrow('"Drill" is not the name of a namespace');
  await expect(start({ other: "drill" })).rejects.toThrow("the backup has no namespace other");
  await expect(start({ cdp: "drill" }, { ...one, mode: "replace" })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "namespaces are mapped by a scratch restore only, not by replace",
  });
  await scene.create("/api/v1/namespaces", { metadata: { name: "drill" } });
  const before = await versions(scene);
  const { state, errors } = await scene.restored(await start({ cdp: "drill" }, one));
  expect({ state, errors: texts(errors) }).toEqual({
    state: "FAILED",
    errors: [
      "a scratch restore creates its own namespaces, and there is drill already: choose other names, or remove it",
    ],
  });
  expect(await touched(scene, before)).toEqual([]);
});

test("production's volumes are not taken: a claim on one that was made by hand is not made, and free ones are named before", async () => {
  const scene = await Scene.open();
  const volumes = "/api/v1/persistentvolumes";
  const spec = { accessModes: ["ReadWriteMany"], storageClassName: "" };
  const nfs = { server: "nfs.example.com", path: "/exports/share" };
  const size = { capacity: { storage: "1Gi" }, nfs, persistentVolumeReclaimPolicy: "Retain" };
  await scene.create(volumes, { metadata: { name: "share" }, spec: { ...spec, ...size } });
  await scene.create("/api/v1/namespaces/cdp/persistentvolumeclaims", {
    metadata: { name: "share" },
    spec: { ...spec, resources: { requests: { storage: "1Gi" } }, volumeName: "share" },
  });
  await scene.simulator.settled();
  const backup = await scene.backup();
  const before = await versions(scene);
  const restore = await scene.restore(backup.crn, scratch);
  expect({ state: restore.state, errors: restore.errors, warnings: texts(restore.warnings) }).toEqual({
    state: "PARTIALLY_FAILED",
    errors: [],
    warnings: [expect.stringContaining("drill: claim share was not created: its data is not in the backup")],
  });
  expect((await touched(scene, before)).filter((name) => name === "PersistentVolume /share")).toEqual([]);
  expect(await removed(scene, restore.crn)).toMatchObject({ state: "COMPLETED" });
  expect(await touched(scene, before)).toEqual([]);

  const claim = await scene.get("/api/v1/namespaces/cdp/persistentvolumeclaims/cdp-artifacts");
  const { storageClassName } = claim["spec"] as { storageClassName: string };
  await scene.create(volumes, { metadata: { name: "spare" }, spec: { ...spec, ...size, storageClassName } });
  await scene.simulator.settled();
  const { state, errors } = await scene.restore(backup.crn, scratch);
  expect({ state, error: texts(errors)[0] }).toEqual({
    state: "FAILED",
    error: expect.stringContaining(
      "a scratch restore uses no existing volumes, but its claims might be bound to spare",
    ),
  });
});
