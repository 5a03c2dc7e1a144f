import { expect, test } from "vitest";
import { secretsForClaim, secretsOfVolume } from "../../../engine/volumes/class-secrets.ts";

const claim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { namespace: "cdp", name: "data", annotations: { "example.com/key": "mine" } },
};
const classWith = (parameters?: Record<string, string>) => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "encrypted" },
  ...(parameters && { parameters }),
});
const csi = (use: string, name: string, namespace: string) => ({
  [`csi.storage.k8s.io/${use}-secret-name`]: name,
  [`csi.storage.k8s.io/${use}-secret-namespace`]: namespace,
});
const reference = (name: string) => ({ name, namespace: "cdp" });
const listed = (parameters?: Record<string, string>) =>
  secretsForClaim(classWith(parameters), claim).map(({ namespace, name }) => `${namespace}/${name}`);

test.each([
  "provisioner",
  "controller-publish",
  "node-stage",
  "node-publish",
  "controller-expand",
  "node-expand",
  "controller-modify",
])("the Secret for %s is one that a claim needs", (use) => {
  expect(listed(csi(use, "key", "storage"))).toEqual(["storage/key"]);
});

test.each([
  ["${pvc.name}-key", "${pvc.namespace}", ["cdp/data-key"]],
  ["${pvc.namespace}-${pvc.name}", "kms-${pvc.namespace}", ["kms-cdp/cdp-data"]],
  ["${pvc.annotations['example.com/key']}", "storage", ["storage/mine"]],
  ["$HOME", "storage", []],
  ["${pv.name}", "storage", []],
  ["${pvc.annotations['example.com/other']}", "storage", []],
])("%s in %s is resolved as the provisioner does", (name, namespace, places) => {
  expect(listed(csi("node-stage", name, namespace))).toEqual(places);
});

test("the former parameters' names count, a default for all uses does, and each Secret is named once", () => {
  expect(listed({ csiProvisionerSecretName: "old", csiProvisionerSecretNamespace: "storage" })).toEqual([
    "storage/old",
  ]);
  const defaults = { "csi.storage.k8s.io/secret-name": "all", "csi.storage.k8s.io/secret-namespace": "storage" };
  expect(listed({ ...defaults, ...csi("node-stage", "stage", "storage") }).sort()).toEqual([
    "storage/all",
    "storage/stage",
  ]);
  expect(listed({ fsType: "ext4" })).toEqual([]);
  expect(listed()).toEqual([]);
});

test("an existing volume names the Secrets that it is used and deleted with", () => {
  const volume = {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: {
      name: "pv",
      annotations: {
        "volume.kubernetes.io/provisioner-deletion-secret-name": "deletion",
        "volume.kubernetes.io/provisioner-deletion-secret-namespace": "cdp",
      },
    },
    spec: { csi: { driver: "d", nodeStageSecretRef: reference("stage"), nodeExpandSecretRef: reference("expand") } },
  };
  expect(secretsOfVolume(volume).map(({ name }) => name)).toEqual(["stage", "expand", "deletion"]);
  expect(secretsOfVolume({ ...volume, metadata: { name: "pv" }, spec: { nfs: {} } })).toEqual([]);
});
