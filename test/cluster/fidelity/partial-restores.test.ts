import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RestorePlan } from "../../../engine/model.ts";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { apiPath, type KubernetesObject } from "../support/kubernetes-client.ts";
import { sharedCluster } from "../support/shared-cluster.ts";
import { claimFolder } from "../support/volumes.ts";
import { EngineService } from "../worlds/service.ts";

const main = "partial";
const vault = "partial-vault";
let cluster: TestCluster;
let service: EngineService;
let backupCrn: string;

beforeAll(async () => {
  cluster = await sharedCluster();
  for (const name of [main, vault]) await cluster.kubectl("create", "namespace", name);
  await create(main, store, web, other);
  await create(vault, other);
  service = await EngineService.start(cluster, main);
  for (const name of ["web", "other"]) await isUp(main, "deployments", name);
  await isUp(main, "statefulsets", "store");
  await isUp(vault, "deployments", "other");
  await writeFile(await fileOfStore(), "saved");
  backupCrn = await service.backUp();
  await over(backupCrn);
}, 180_000);

afterAll(async () => {
  await service?.close();
  for (const name of [main, vault]) await cluster?.kubectl("delete", "--wait=false", "namespace", name);
});

test("of two namespaces one is restored, and the other one is untouched in every byte", async () => {
  await patch(main, "v1", "configmaps", "web", { data: { level: "trace" } });
  await patch(vault, "v1", "configmaps", "other", { data: { level: "trace" } });
  await cluster.kubectl("--namespace", vault, "create", "configmap", "newer");
  const before = await versionsOf(main);
  await restored({ selection: { what: "namespaces", namespaces: [vault] } });
  expect(await versionsOf(main)).toEqual(before);
  expect((await get(vault, "v1", "configmaps", "other"))["data"]).toEqual({ level: "info" });
  expect(await cluster.kubernetes.find(apiPath({ apiVersion: "v1", resource: "configmaps" }, vault, "newer"))).toBe(
    undefined,
  );
});

test("single objects become as they were saved, their data too, with what they need; what is not selected is untouched", async () => {
  await writeFile(await fileOfStore(), "lost");
  await patch(main, "apps/v1", "deployments", "web", { spec: { template: { metadata: { labels: { stray: "x" } } } } });
  await isUp(main, "deployments", "web");
  await cluster.kubectl("--namespace", main, "delete", "secret/web", "rolebinding/web");
  const before = await versionsOf(main);
  await restored({
    selection: {
      what: "objects",
      objects: [
        { kind: "Deployment", namespace: main, name: "web" },
        { kind: "statefulsets.apps", namespace: main, name: "store" },
        { kind: "PersistentVolumeClaim", namespace: main, name: "data-store-0" },
      ],
    },
  });
  const made = /^(Pod|ReplicaSet|EndpointSlice|Endpoints) (web|store)\b/;
  expect((await touched(main, before)).filter((name) => !made.test(name))).toEqual([
    "Deployment web",
    "PersistentVolumeClaim data-store-0",
    "RoleBinding web",
    "Secret web",
    "StatefulSet store",
  ]);
  expect(await readFile(await fileOfStore(), "utf8")).toBe("saved");
  const { spec } = await get(main, "apps/v1", "deployments", "web");
  expect(spec.template.metadata.labels).toEqual({ app: "web" });
});

test("what is missing is added with what it needs; what is there is left as it is", async () => {
  await writeFile(await fileOfStore(), "newer");
  await cluster.kubectl("--namespace", main, "delete", "deployment/web", "secret/web", "serviceaccount/web");
  await patch(main, "v1", "configmaps", "web", { data: { level: "trace" } });
  await eventually(
    "the pods are gone",
    async () => !(await versionsOf(main)).some((line) => line.startsWith("Pod web-")),
  );
  const before = await versionsOf(main);
  await restored({
    mode: "add",
    selection: {
      what: "objects",
      objects: [
        { kind: "Deployment", namespace: main, name: "web" },
        { kind: "StatefulSet", namespace: main, name: "store" },
      ],
    },
  });
  const made = /^(Pod|ReplicaSet|EndpointSlice|Endpoints) web\b/;
  expect((await touched(main, before)).filter((name) => !made.test(name))).toEqual([
    "Deployment web",
    "Secret web",
    "ServiceAccount web",
  ]);
  expect(await readFile(await fileOfStore(), "utf8")).toBe("newer");
});

async function restored(plan: Partial<RestorePlan>): Promise<void> {
  expect(await over(await service.restore(backupCrn, plan))).toEqual({ state: "COMPLETED", messages: [] });
}

function over(crn: string) {
  return eventually(
    `${crn} is over`,
    async () => {
      const { state, messages } = await service.describe(crn);
      const texts = messages.map(({ text }) => text);
      return !["NOT_STARTED", "IN_PROGRESS"].includes(state) && { state, messages: texts };
    },
    { timeout: 120_000, look: () => service.log(crn) },
  );
}

/** Kind, name, uid and version of each object of a namespace, but for events. */
async function versionsOf(namespace: string): Promise<readonly string[]> {
  const kinds = (await cluster.kubernetes.resources()).filter((kind) => kind.namespaced && kind.kind !== "Event");
  const lists = await Promise.all(kinds.map((kind) => cluster.kubernetes.list(apiPath(kind, namespace))));
  return lists
    .flat()
    .map(
      ({ kind, metadata }) =>
        `${kind} ${metadata.name} ${String(metadata["uid"])} ${String(metadata["resourceVersion"])}`,
    )
    .sort();
}

/** The objects of a namespace that are not as they were. */
async function touched(namespace: string, before: readonly string[]): Promise<readonly string[]> {
  const changed = new Set(before).symmetricDifference(new Set(await versionsOf(namespace)));
  return [...new Set([...changed].map((line) => line.split(" ").slice(0, 2).join(" ")))].sort();
}

async function create(namespace: string, ...manifests: readonly string[]): Promise<void> {
  const file = join(cluster.folder, `${namespace}.yaml`);
  await writeFile(file, manifests.join("\n---\n"));
  await cluster.kubectl("--namespace", namespace, "create", "-f", file);
}

function get(namespace: string, apiVersion: string, resource: string, name: string): Promise<KubernetesObject> {
  return cluster.kubernetes.get(apiPath({ apiVersion, resource }, namespace, name));
}

function patch(namespace: string, apiVersion: string, resource: string, name: string, change: object): Promise<void> {
  return cluster.kubernetes.patch(apiPath({ apiVersion, resource }, namespace, name), change);
}

function isUp(namespace: string, resource: string, name: string) {
  return eventually(`${resource} ${name} of ${namespace} is up`, async () => {
    const { spec, status, metadata } = await get(namespace, "apps/v1", resource, name);
    const isSeen = status?.observedGeneration === metadata["generation"];
    return isSeen && status?.readyReplicas === spec.replicas && status?.updatedReplicas === spec.replicas;
  });
}

async function fileOfStore(): Promise<string> {
  return join(await claimFolder(cluster, main, "data-store-0"), "file");
}

const container = (more = "") => `containers: [{ name: main, image: main${more} }]`;

const store = `
apiVersion: v1
kind: Service
metadata: { name: store }
spec: { clusterIP: None, selector: { app: store } }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: store }
spec:
  serviceName: store
  selector: { matchLabels: { app: store } }
  template:
    metadata: { labels: { app: store } }
    spec: { ${container(", volumeMounts: [{ name: data, mountPath: /data }]")} }
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
`;

const web = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: web }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: web }
rules: [{ apiGroups: [""], resources: [configmaps], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: web }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: web }
subjects: [{ kind: ServiceAccount, name: web, namespace: ${main} }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data: { level: info }
---
apiVersion: v1
kind: Secret
metadata: { name: web }
stringData: { key: saved }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      serviceAccountName: web
      ${container(", envFrom: [{ configMapRef: { name: web } }, { secretRef: { name: web } }]")}
`;

const other = `
apiVersion: v1
kind: ConfigMap
metadata: { name: other }
data: { level: info }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: other }
spec:
  selector: { matchLabels: { app: other } }
  template:
    metadata: { labels: { app: other } }
    spec: { ${container()} }
`;
