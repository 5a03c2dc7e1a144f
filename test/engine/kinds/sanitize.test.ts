import { expect, test } from "vitest";
import { parseExact } from "../../../engine/kubernetes/exact-json.ts";
import type { KubernetesObject } from "../../../engine/kubernetes/kubernetes-object.ts";
import { sanitize } from "../../../engine/kinds/sanitize.ts";
import { mergedServiceAccount } from "../../../engine/kinds/core/service-account.ts";
import { withoutAllocations } from "../../../engine/kinds/core/service.ts";

const serverSet = {
  uid: "u",
  resourceVersion: "7",
  generation: 3,
  creationTimestamp: "2026-01-02T03:04:05Z",
  selfLink: "/x",
  managedFields: [{}],
  ownerReferences: [{ apiVersion: "v1", kind: "A", name: "a", uid: "o" }],
};

/** An object as it is restored; what was given must not have changed. */
function sanitized(resource: string, apiVersion: string, object: object): KubernetesObject {
  const type = { apiVersion, kind: "Any", resource, namespaced: true };
  const given = { apiVersion, kind: "Any", metadata: { name: "a" }, ...object } as KubernetesObject;
  const before = JSON.stringify(given);
  const result = sanitize(type, given);
  expect(JSON.stringify(given)).toBe(before);
  return result;
}

test("every object loses what the API server sets, and keeps the rest to the last digit", () => {
  const text =
    '{"apiVersion":"example.com/v1","kind":"Any","metadata":{"name":"a","namespace":"n","labels":{"a":"b"},"finalizers":["example.com/hold"]},' +
    '"spec":{"serial":9007199254740993,"ratio":0.50,"list":[1e2,{"x":null}],"empty":{},"none":[]},"unknown":{"field":true}}';
  const archived = parseExact(text) as KubernetesObject;
  archived["status"] = { phase: "Ready" };
  Object.assign(archived.metadata, serverSet);
  archived.metadata.finalizers?.push("foregroundDeletion", "orphan");
  const type = { apiVersion: "example.com/v1", kind: "Any", resource: "anys", namespaced: true };
  expect(JSON.stringify(sanitize(type, archived))).toBe(text);
  expect(archived.metadata.uid).toBe("u");
  expect(sanitized("anys", "example.com/v1", { metadata: { name: "a", finalizers: ["orphan"] } }).metadata).toEqual({
    name: "a",
  });
});

test("a claim is as one that no volume belongs to yet", () => {
  const metadata = {
    name: "a",
    finalizers: ["kubernetes.io/pvc-protection"],
    annotations: {
      "pv.kubernetes.io/bind-completed": "yes",
      "pv.kubernetes.io/bound-by-controller": "yes",
      "volume.kubernetes.io/storage-provisioner": "d",
      "volume.beta.kubernetes.io/storage-provisioner": "d",
      "volume.kubernetes.io/selected-node": "n",
      mine: "kept",
    },
  };
  const spec = {
    storageClassName: "standard",
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: "1Gi" } },
  };
  const stale = { volumeName: "pv", dataSource: { name: "old" }, dataSourceRef: { name: "old" }, selector: {} };
  expect(sanitized("persistentvolumeclaims", "v1", { metadata, spec: { ...spec, ...stale } })).toMatchObject({
    metadata: { name: "a", annotations: { mine: "kept" } },
    spec,
  });
  expect(sanitized("persistentvolumeclaims", "v1", { metadata, spec: { ...spec, ...stale } })["spec"]).toEqual(spec);
  const chosen = { matchLabels: { disk: "7" } };
  const ofStatic = sanitized("persistentvolumeclaims", "v1", { spec: { storageClassName: "", selector: chosen } });
  expect(ofStatic["spec"]).toEqual({ storageClassName: "", selector: chosen });
});

test("a job loses the selector that names its old uid, unless the user chose it", () => {
  const labels = { "controller-uid": "u", "batch.kubernetes.io/controller-uid": "u", app: "a" };
  const spec = {
    selector: { matchLabels: { "controller-uid": "u" } },
    template: { metadata: { labels } },
    completions: 2,
  };
  expect(sanitized("jobs", "batch/v1", { metadata: { name: "a", labels }, spec })).toMatchObject({
    metadata: { labels: { app: "a" } },
    spec: { completions: 2, template: { metadata: { labels: { app: "a" } } } },
  });
  expect(sanitized("jobs", "batch/v1", { spec })["spec"]).not.toHaveProperty("selector");
  expect(sanitized("jobs", "batch/v1", { spec: { ...spec, manualSelector: true } })["spec"]).toEqual({
    ...spec,
    manualSelector: true,
  });
});

test("a pod is scheduled again and gets a fresh token; its own volumes stay", () => {
  const spec = {
    nodeName: "n",
    priority: 5,
    preemptionPolicy: "Never",
    serviceAccount: "x",
    serviceAccountName: "x",
    nodeSelector: { zone: "a" },
    priorityClassName: "high",
    volumes: [
      { name: "kube-api-access-abcde", projected: {} },
      { name: "x-token-x7k2p", secret: { secretName: "x-token-x7k2p" } },
      { name: "data", persistentVolumeClaim: { claimName: "c" } },
      { name: "mine", projected: {} },
      { name: "ci", secret: { secretName: "x-token-build" } },
    ],
    containers: [{ name: "c", volumeMounts: [{ name: "data" }, { name: "kube-api-access-abcde" }, { name: "mine" }] }],
    initContainers: [{ name: "i", volumeMounts: [{ name: "x-token-x7k2p" }] }],
  };
  expect(sanitized("pods", "v1", { spec, status: { phase: "Running" } })["spec"]).toEqual({
    serviceAccountName: "x",
    nodeSelector: { zone: "a" },
    priorityClassName: "high",
    volumes: [
      { name: "data", persistentVolumeClaim: { claimName: "c" } },
      { name: "mine", projected: {} },
      { name: "ci", secret: { secretName: "x-token-build" } },
    ],
    containers: [{ name: "c", volumeMounts: [{ name: "data" }, { name: "mine" }] }],
    initContainers: [{ name: "i", volumeMounts: [] }],
  });
});

test("a token that a user asked for is filled in again; any other secret is left as it is", () => {
  const data = { token: "t", "ca.crt": "c", namespace: "n", mine: "m" };
  const annotations = { "kubernetes.io/service-account.name": "x", "kubernetes.io/service-account.uid": "u" };
  const token = { type: "kubernetes.io/service-account-token", metadata: { name: "a", annotations }, data };
  expect(sanitized("secrets", "v1", token)).toMatchObject({
    data: { mine: "m" },
    metadata: { annotations: { "kubernetes.io/service-account.name": "x" } },
  });
  expect(sanitized("secrets", "v1", token)["data"]).toEqual({ mine: "m" });
  expect(sanitized("secrets", "v1", { ...token, data: { token: "t" } })).not.toHaveProperty("data");
  expect(sanitized("secrets", "v1", { type: "Opaque", data, immutable: true })).toMatchObject({
    data,
    immutable: true,
  });
});

test("a service account loses the cluster's tokens and keeps what users gave it, and what exists joins it", () => {
  const secrets = [
    { name: "a-token-x7k2p" },
    { name: "a-dockercfg-x7k2p" },
    { name: "mine" },
    { name: "a-token-for-ci" },
    { name: "a-token-admin" },
  ];
  const account = sanitized("serviceaccounts", "v1", { secrets, imagePullSecrets: [{ name: "registry" }] });
  expect(account).toMatchObject({
    secrets: [{ name: "mine" }, { name: "a-token-for-ci" }, { name: "a-token-admin" }],
    imagePullSecrets: [{ name: "registry" }],
  });
  const existing = {
    metadata: {
      name: "a",
      labels: { late: "1" },
      annotations: { late: "1", "openshift.io/registry": "a-dockercfg-x" },
    },
    secrets: [{ name: "a-token-n4w7k" }, { name: "late" }],
    automountServiceAccountToken: false,
  };
  expect(mergedServiceAccount(existing, account)).toMatchObject({
    metadata: { labels: { late: null }, annotations: { late: null } },
    secrets: [{ name: "a-token-n4w7k" }, { name: "mine" }, { name: "a-token-for-ci" }, { name: "a-token-admin" }],
    imagePullSecrets: [{ name: "registry" }],
    automountServiceAccountToken: null,
  });
});

test("a service keeps its addresses and ports, and gives them up only where they are taken", () => {
  const spec = {
    clusterIP: "10.0.0.7",
    clusterIPs: ["10.0.0.7"],
    healthCheckNodePort: 30_001,
    ports: [{ port: 80, nodePort: 30_080 }, { port: 81 }],
    sessionAffinity: "None",
  };
  const service = sanitized("services", "v1", { spec });
  expect(service["spec"]).toEqual(spec);
  expect(withoutAllocations(service)["spec"]).toEqual({
    ports: [
      { port: 80, nodePort: 0 },
      { port: 81, nodePort: 0 },
    ],
    sessionAffinity: "None",
  });
  expect(service["spec"]).toEqual(spec);
  const headless = { clusterIP: "None", clusterIPs: ["None"] };
  expect(withoutAllocations({ metadata: { name: "a" }, spec: headless })["spec"]).toEqual(headless);
});

test("a namespace loses its finalizers of its own kind", () => {
  expect(sanitized("namespaces", "v1", { spec: { finalizers: ["kubernetes"] }, status: {} })).toEqual({
    apiVersion: "v1",
    kind: "Any",
    metadata: { name: "a" },
  });
});
