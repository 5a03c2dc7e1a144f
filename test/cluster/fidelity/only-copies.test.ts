import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reaches } from "../faults/scene.ts";
import { damagePart } from "../support/archives.ts";
import { documentedCommands } from "../support/documented-commands.ts";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { claimFolder } from "../support/volumes.ts";
import { aControlPlane, clusterPath, type Outcome, type SmallControlPlane } from "./support.ts";

const namespace = "only-copies";
const claims = "v1/persistentvolumeclaims";
const keptBy = "drs.cloudera.com/kept-by";
const withData = ["d-orders-0", "vault-data", "imported", "beta-class"];

let plane: SmallControlPlane;
let saved: Outcome;
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane(namespace);
  await mkdir(join(plane.cluster.storageFolder, "volumes", "imported-only-copies"));
  await plane.create(manifests);
  for (const name of withData) await plane.until(claims, name, isBound);
  await plane.until("v1/pods", "orders-0", ({ status }) => status?.phase === "Running");
  for (const name of withData) await writeFile(await fileOf(name), `saved in ${name}`);
  await plane.kubectl("delete", "--wait=false", "pvc/d-orders-0", "configmap/going");
  saved = await plane.backUp({ state: "PARTIALLY_FAILED" });
  for (const name of withData) await writeFile(await fileOf(name), "since");
  await plane.create(added);
  await plane.until("v1/pods", "later-0", ({ status }) => status?.phase === "Running");
  for (const name of ["d-later-0", "added"]) await writeFile(await fileOf(name), "only copy");
  await plane.kubectl("delete", "--wait=false", "pvc/d-later-0");
  restored = await plane.restore({ state: "PARTIALLY_FAILED" });
});

afterAll(async () => {
  if (await plane?.find("v1/configmaps", "going"))
    await plane.patch("v1/configmaps", "going", { metadata: { finalizers: null } });
  await plane?.remove();
});

test("a backup saves claims whatever their class is written in, and names what is being deleted", async () => {
  expect(saved.warnings).toEqual([
    `${namespace}: claim d-orders-0 is being deleted, and will be gone with its data when no pod uses it: a restore recreates it`,
    `${namespace}: ConfigMap going is being deleted, and not in this backup`,
  ]);
  const contents = await plane.cluster.kubernetes.list(
    clusterPath("snapshot.storage.k8s.io/v1/volumesnapshotcontents"),
  );
  expect(contents.filter(({ spec }) => spec.volumeSnapshotRef.namespace === namespace)).toEqual([]);
});

test("a restore brings their data back, that of an encrypted one with its Secret before it", async () => {
  expect(restored.errors).toEqual([]);
  for (const name of withData) expect(await readFile(await fileOf(name), "utf8")).toBe(`saved in ${name}`);
  expect((await plane.get(claims, "d-orders-0")).metadata).not.toHaveProperty("deletionTimestamp");
  expect((await plane.get(claims, "beta-class"))["spec"]).not.toHaveProperty("storageClassName");
  expect((await plane.get("v1/secrets", "vault-data-key"))["data"]).toHaveProperty("passphrase");
});

test("claims that are not in the backup stay, or come again on their volumes, and are named", async () => {
  for (const name of ["added", "d-later-0"]) {
    await plane.until(claims, name, isBound);
    expect(await readFile(await fileOf(name), "utf8")).toBe("only copy");
  }
  expect((await plane.get(claims, "d-later-0")).metadata).not.toHaveProperty("deletionTimestamp");
  const { volumeName } = (await plane.get(claims, "d-later-0"))["spec"];
  expect(restored.warnings.filter((text) => text.includes("claim "))).toEqual(
    expect.arrayContaining([
      `${namespace}: the backup does not have the data of claim added, which is left as it is`,
      `${namespace}: claim d-later-0 has its volume ${volumeName} again, with its current data: the backup has none; it was being deleted and no longer is: delete it again if you want that`,
      `${namespace}: claim imported is now in storage class dir: its volume imported-only-copies was created by hand, without a class`,
    ]),
  );
});

test("a volume that was made by hand stays, and the log says that it has what was there before", async () => {
  expect(await plane.log(restored)).toContain(
    `the former data of claim ${namespace}/imported is on volume imported-only-copies, whose policy is Retain`,
  );
  const volume = await plane.cluster.kubernetes.get(clusterPath("v1/persistentvolumes", "imported-only-copies"));
  expect(volume["spec"].persistentVolumeReclaimPolicy).toBe("Retain");
  expect(volume["status"].phase).toBe("Released");
  const file = join(plane.cluster.storageFolder, "volumes", "imported-only-copies", "content");
  expect(await readFile(file, "utf8")).toBe("since");
  expect((await volumesOfPlane()).filter(({ metadata }) => keptBy in (metadata.labels ?? {}))).toEqual([]);
});

test("the documented command frees what a restore has kept", async () => {
  const uuid = "00000000-0000-4000-8000-000000000000";
  await plane.create(spare);
  await plane.until(claims, "spare", isBound);
  const { volumeName } = (await plane.get(claims, "spare"))["spec"];
  await plane.cluster.kubernetes.patch(clusterPath("v1/persistentvolumes", volumeName), {
    metadata: { labels: { [keptBy]: uuid }, annotations: { "drs.cloudera.com/former-policy": "Delete" } },
    spec: { persistentVolumeReclaimPolicy: "Retain" },
  });
  await plane.kubectl("delete", "pvc/spare");
  const commands = (await documentedCommands("Freeing what a restore has replaced")).replaceAll("<uuid>", uuid);
  await promisify(execFile)("bash", ["-c", commands], { env: plane.cluster.environment });
  const volume = clusterPath("v1/persistentvolumes", volumeName);
  await eventually("the volume is gone", async () => !(await plane.cluster.kubernetes.find(volume)));
  expect(await plane.cluster.kubernetes.find(volume)).toBeUndefined();
});

test("claims and volumes that somebody has deleted are there with their data when a restore has gone back", async () => {
  const names = ["d-orders-0", "vault-data"];
  for (const name of names) await writeFile(await fileOf(name), "only copy");
  const before = new Map<string, string>();
  for (const name of names) before.set(name, (await plane.get(claims, name))["spec"].volumeName);
  await plane.kubectl("delete", "--wait=false", "pvc/d-orders-0");
  await plane.cluster.kubectl("delete", "--wait=false", `pv/${before.get("vault-data") ?? ""}`);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await reaches(plane, restoreCrn, "DELETING_OBJECTS_PVC");
  const fix = await damagePart(plane.service.data, plane.backupCrn, "core.v1.persistentvolumeclaims");
  const { errors } = await plane.service.waitForJob(restoreCrn, { state: "FAILED", timeout: 90_000 });
  await fix();
  expect(JSON.stringify(errors)).toContain("is damaged");
  for (const name of names) {
    const { metadata, spec } = await plane.until(claims, name, isBound);
    expect(metadata).not.toHaveProperty("deletionTimestamp");
    expect(spec.volumeName).toBe(before.get(name));
    expect(await readFile(await fileOf(name), "utf8")).toBe("only copy");
    const volume = await plane.cluster.kubernetes.get(clusterPath("v1/persistentvolumes", spec.volumeName));
    expect(volume.metadata).not.toHaveProperty("deletionTimestamp");
    expect(volume["spec"].persistentVolumeReclaimPolicy).toBe("Delete");
  }
});

function isBound(claim: KubernetesObject): boolean {
  return claim["status"]?.phase === "Bound";
}

async function fileOf(claim: string): Promise<string> {
  return join(await claimFolder(plane.cluster, namespace, claim), "content");
}

async function volumesOfPlane(): Promise<KubernetesObject[]> {
  const all = await plane.cluster.kubernetes.list(clusterPath("v1/persistentvolumes"));
  return all.filter(({ spec }) => spec.claimRef?.namespace === namespace);
}

const size = "accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } }";

const statefulSet = (name: string) => `
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: ${name} }
spec:
  serviceName: ${name}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: main, image: example.com/app, volumeMounts: [{ name: d, mountPath: /d }] }] }
  volumeClaimTemplates: [{ metadata: { name: d }, spec: { storageClassName: dir, ${size} } }]
`;

const manifests = `
${statefulSet("orders")}
---
apiVersion: v1
kind: ConfigMap
metadata: { name: going, finalizers: [example.com/hold] }
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: only-copies-encrypted }
provisioner: dir.csi.test
parameters:
  csi.storage.k8s.io/provisioner-secret-name: \${pvc.name}-key
  csi.storage.k8s.io/provisioner-secret-namespace: \${pvc.namespace}
---
apiVersion: v1
kind: Secret
metadata: { name: vault-data-key }
stringData: { passphrase: secret }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: vault-data }
spec: { storageClassName: only-copies-encrypted, ${size} }
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: imported-only-copies }
spec:
  accessModes: [ReadWriteOnce]
  capacity: { storage: 1Mi }
  persistentVolumeReclaimPolicy: Retain
  csi: { driver: dir.csi.test, volumeHandle: imported-only-copies }
  claimRef: { namespace: ${namespace}, name: imported }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: imported }
spec: { storageClassName: "", volumeName: imported-only-copies, ${size} }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: beta-class, annotations: { volume.beta.kubernetes.io/storage-class: dir } }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1181116006400m } } }
`;

const added = `
${statefulSet("later")}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: added }
spec: { storageClassName: dir, ${size} }
`;

const spare = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: spare }
spec: { storageClassName: dir, ${size} }
`;
