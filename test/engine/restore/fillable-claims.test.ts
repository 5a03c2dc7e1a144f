import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
const secrets = "/api/v1/namespaces/cdp/secrets";
const classes = "/apis/storage.k8s.io/v1/storageclasses";
const untouched = "nothing in the namespaces was touched";

/** A claim whose volume is made with a Secret that lies beside it, or elsewhere. */
async function sceneWithSecret(secretNamespace = "${pvc.namespace}"): Promise<Scene> {
  const scene = await Scene.open();
  await scene.create(classes, {
    metadata: { name: "encrypted" },
    provisioner: "sim.csi.drs.example",
    parameters: {
      "csi.storage.k8s.io/provisioner-secret-name": "${pvc.name}-key",
      "csi.storage.k8s.io/provisioner-secret-namespace": secretNamespace,
    },
  });
  const namespace = secretNamespace.startsWith("$") ? "cdp" : secretNamespace;
  await scene.create(`/api/v1/namespaces/${namespace}/secrets`, {
    metadata: { name: "vault-key" },
    stringData: { a: "b" },
  });
  const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  await scene.create(claims, { metadata: { name: "vault" }, spec: { ...spec, storageClassName: "encrypted" } });
  await scene.simulator.settled();
  scene.simulator.volumes.write("cdp", "vault", "data", "saved");
  return scene;
}

test("the Secret that a driver makes a claim's volume with is there before the claim", async () => {
  const scene = await sceneWithSecret();
  const backup = await scene.backup();
  await scene.remove(`${claims}/vault`);
  await scene.remove(`${secrets}/vault-key`);
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(scene.simulator.volumes.read("cdp", "vault", "data").toString()).toBe("saved");
});

test("a Secret that a storage class names, and that is neither in the backup nor elsewhere, is reported before anything is touched", async () => {
  const scene = await sceneWithSecret();
  await scene.remove(`${secrets}/vault-key`);
  const backup = await scene.backup();
  await scene.create(secrets, { metadata: { name: "vault-key" } });
  const before = await scene.versions();
  const crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(
      /^Secrets are missing .*: cdp\/vault-key \(for claim cdp\/vault, by storage class encrypted\); one of/,
    ),
  ]);
  expect(scene.engine.getLogs(crn)).toContain(untouched);
  expect(await scene.versions()).toEqual(before);
});

test("a Secret outside of the namespaces is looked for in the cluster", async () => {
  const scene = await sceneWithSecret("kube-public");
  const backup = await scene.backup();
  const there = await scene.restore(backup.crn);
  expect(texts(there.errors)).toEqual([]);
  await scene.remove("/api/v1/namespaces/kube-public/secrets/vault-key");
  const gone = await scene.restore(backup.crn);
  expect(texts(gone.errors)).toEqual([expect.stringContaining("kube-public/vault-key (for claim cdp/vault")]);
});
