import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { TestCluster } from "./support/cluster.ts";
import { type ControlPlanePicture, createControlPlane, differencesSince, pipelines } from "./support/control-plane.ts";
import { apiPath } from "./support/kubernetes-client.ts";
import { sharedCluster } from "./support/shared-cluster.ts";
import { claimFolder } from "./support/volumes.ts";
import { wreckCompletely, wreckInPlace } from "./support/wreck.ts";

let cluster: TestCluster;
let before: ControlPlanePicture;

beforeAll(async () => {
  cluster = await sharedCluster();
  before = await createControlPlane(cluster);
});

test("a control plane that nobody touched is the same as before", async () => {
  expect(await differencesSince(before, cluster, { patience: 0 })).toEqual([]);
});

test("the picture holds every kind and file of the control plane, and nothing the cluster makes", () => {
  const kinds = [...new Set([...before.objects.values()].map(({ kind }) => kind))].sort();
  expect(kinds).toMatchInlineSnapshot(`
    [
      "ClusterRole",
      "ClusterRoleBinding",
      "ConfigMap",
      "CronJob",
      "CustomResourceDefinition",
      "DaemonSet",
      "Deployment",
      "EndpointSlice",
      "Endpoints",
      "FlowSchema",
      "HorizontalPodAutoscaler",
      "Ingress",
      "Job",
      "LimitRange",
      "Namespace",
      "NetworkPolicy",
      "PersistentVolume",
      "PersistentVolumeClaim",
      "Pipeline",
      "Pod",
      "PodDisruptionBudget",
      "PriorityClass",
      "PriorityLevelConfiguration",
      "ReplicaSet",
      "ResourceQuota",
      "Role",
      "RoleBinding",
      "Secret",
      "Service",
      "ServiceAccount",
      "ServiceCIDR",
      "StatefulSet",
      "StorageClass",
      "ValidatingWebhookConfiguration",
      "VolumeSnapshot",
      "VolumeSnapshotClass",
    ]
  `);
  expect([...before.objects.keys()].filter((name) => name.includes("vault-system"))).toMatchInlineSnapshot(`
    [
      "ConfigMap vault-system/vault",
      "Namespace vault-system",
      "PersistentVolume of vault-system/data-vault-0",
      "PersistentVolumeClaim vault-system/data-vault-0",
      "Secret vault-system/unseal",
      "Service vault-system/vault",
      "ServiceAccount vault-system/default",
      "ServiceAccount vault-system/vault",
      "StatefulSet.apps vault-system/vault",
    ]
  `);
  expect([...before.files.keys()].filter((name) => name.startsWith("cdp/uploads:"))).toMatchInlineSnapshot(`
    [
      "cdp/uploads: PG_VERSION",
      "cdp/uploads: base",
      "cdp/uploads: dangling",
      "cdp/uploads: empty",
      "cdp/uploads: empty folder",
      "cdp/uploads: latest",
      "cdp/uploads: private",
      "cdp/uploads: run.sh",
      "cdp/uploads: base/1",
      "cdp/uploads: base/1/1259",
      "cdp/uploads: base/1/deep",
      "cdp/uploads: base/1/deep/deeper",
      "cdp/uploads: base/1/deep/deeper/Ünïcode name.txt",
    ]
  `);
});

test("each change, loss and addition is found, to the last digit and byte", async () => {
  const { kubernetes, kubectl } = cluster;
  const pipeline = apiPath(pipelines, "cdp", "ingest");
  const wrongOffset = '{"spec": {"offset": 9007199254740992}}';
  await kubectl("--namespace", "cdp", "patch", "pipeline", "ingest", "--type=merge", "--patch", wrongOffset);
  await kubernetes.patch(apiPath(pipelines, "cdp", "ingest-first-stage"), { metadata: { ownerReferences: null } });
  await kubernetes.delete(apiPath({ apiVersion: "v1", resource: "secrets" }, "cdp", "database"));
  await kubectl("--namespace", "cdp", "create", "configmap", "stray");
  await kubectl("label", "clusterrole", "cdp:node-viewer", "changed=yes");
  await writeFile(join(await claimFolder(cluster, "cdp", "attic"), "private"), "other");
  expect((await kubernetes.get(pipeline))["spec"].offset).toBe(9007199254740992);

  expect(await differencesSince(before, cluster, { patience: 0 })).toMatchInlineSnapshot(`
    [
      "ClusterRole.rbac.authorization.k8s.io cdp:node-viewer: metadata labels was absent, is {"changed":"yes"}",
      "ConfigMap cdp/stray: new",
      "Pipeline.platform.example.com cdp/ingest: spec offset was "number 9007199254740993", is 9007199254740992",
      "Pipeline.platform.example.com cdp/ingest-first-stage: metadata ownerReferences was [{"apiVersion":"platform.example.com/v1","blockOwnerDeletion":false,"kind":"Pipeline","name":"ingest"}], is absent",
      "Secret cdp/database: missing",
      "cdp/attic: private: was file 600 3e2c9e0bf43b99c22d2bb23fd70210490ae6ee69028ac2d6de5db36254ba3803, is file 600 d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa",
    ]
  `);
});

test("both wrecks leave little of the control plane", async () => {
  const again = await createControlPlane(cluster);
  await wreckInPlace(cluster);
  const inPlace = await differencesSince(again, cluster, { patience: 0 });
  expect(inPlace.length).toBeGreaterThan(30);

  await wreckCompletely(cluster);
  const complete = await differencesSince(again, cluster, { patience: 0 });
  const missing = complete.filter((line) => line.endsWith(": missing"));
  expect(missing.length).toBe(complete.length);
  expect(missing.length).toBeGreaterThan(100);
});
