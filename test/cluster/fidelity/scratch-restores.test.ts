import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { claimFolder, treeDigest } from "../support/volumes.ts";
import { EnginePlane, versionOf } from "./engine-plane.ts";
import { store, web } from "./store-and-web.ts";

const main = "scratch";
const vault = "scratch-vault";
const bystander = "scratch-bystander";
const drill = "scratch-drill";
const drillVault = "scratch-drill-vault";
const plan = { mode: "scratch", mapping: { [main]: drill, [vault]: drillVault } } as const;

let plane: EnginePlane;
let before: Awaited<ReturnType<typeof everythingElse>>;
let restored: Awaited<ReturnType<EnginePlane["restore"]>>;

beforeAll(async () => {
  plane = await EnginePlane.open(main);
  await plane.cluster.kubectl("create", "namespace", bystander);
  await plane.cluster.kubectl("apply", "-f", await file("scratch-cluster", clusterScoped));
  await plane.create(main, store("priorityClassName: scratch-example, "), ways, web, service);
  await plane.create(vault, web, service);
  await plane.create(bystander, web, service);
  await plane.cluster.kubectl("--namespace", main, "create", "-f", await file("scratch-gadget", gadget));
  for (const namespace of [main, vault, bystander]) await plane.isUp(namespace, "deployments", "web");
  await plane.isUp(main, "statefulsets", "store");
  await writeFile(join(await claimFolder(plane.cluster, main, "data-store-0"), "file"), "saved");
  const backupCrn = await plane.backUp();
  await writeFile(join(await claimFolder(plane.cluster, main, "data-store-0"), "file"), "newer");
  before = await everythingElse();
  restored = await plane.restore(backupCrn, plan);
}, 180_000);

afterAll(async () => {
  if (!plane) return;
  for (const namespace of [main, drill])
    for (const { metadata } of await plane.cluster.kubernetes.list(
      `/apis/scratch.example/v1/namespaces/${namespace}/gadgets`,
    ))
      await plane.cluster.kubectl(
        "--namespace",
        namespace,
        "patch",
        `gadget/${metadata.name}`,
        "--type=merge",
        "--patch",
        free,
      );
  await plane.close(bystander, drill, drillVault);
  // Other tests look at all definitions, and wait until none is on its way out.
  await plane.cluster.kubectl("delete", "--ignore-not-found", "-f", await file("scratch-cluster", clusterScoped));
}, 60_000);

test("the control plane is there once more, with its data, and what it is a copy of is untouched in every byte", async () => {
  expect(restored).toMatchObject({ state: "COMPLETED", messages: [] });
  expect(await everythingElse()).toEqual(before);
  for (const kind of ["configmaps", "secrets", "serviceaccounts", "services", "persistentvolumeclaims"])
    expect(await plane.names(drill, "v1", kind)).toEqual(await plane.names(main, "v1", kind));
  expect((await plane.get(drill, "apps/v1", "deployments", "web"))["status"].readyReplicas).toBe(2);
  expect(await readFile(join(await claimFolder(plane.cluster, drill, "data-store-0"), "file"), "utf8")).toBe("saved");
});

test("a copy has its own addresses, accounts and volumes, and no way in from outside", async () => {
  const [own, saved] = await Promise.all(
    [drill, main].map((namespace) => plane.get(namespace, "v1", "services", "web")),
  );
  expect(own?.["spec"].clusterIP).not.toBe(saved?.["spec"].clusterIP);
  expect(own?.["spec"].ports[0].nodePort).not.toBe(saved?.["spec"].ports[0].nodePort);
  expect((await plane.get(drill, "v1", "services", "balanced"))["spec"]).toMatchObject({ type: "ClusterIP" });
  const binding = await plane.get(drill, "rbac.authorization.k8s.io/v1", "rolebindings", "web");
  expect(binding["subjects"]).toEqual([
    { kind: "ServiceAccount", name: "web", namespace: drill },
    { apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: `system:serviceaccounts:${drillVault}` },
  ]);
  const policy = await plane.get(drill, "networking.k8s.io/v1", "networkpolicies", "from-vault");
  expect(policy["spec"].ingress[0].from[0].namespaceSelector.matchLabels).toEqual({
    "kubernetes.io/metadata.name": drillVault,
  });
  expect(await plane.names(drill, "networking.k8s.io/v1", "ingresses")).toEqual([]);
  const { metadata } = await plane.get(drill, "scratch.example/v1", "gadgets", "one");
  expect(metadata).not.toHaveProperty("finalizers");
  const replicaSets = await plane.cluster.kubernetes.list(`/apis/apps/v1/namespaces/${drill}/replicasets`);
  const { uid } = (await plane.get(drill, "apps/v1", "deployments", "web")).metadata as { uid?: string };
  expect(replicaSets.map((one) => one.metadata.ownerReferences?.[0]?.uid)).toEqual(replicaSets.map(() => uid));
});

test("it is removed again without a trace", async () => {
  await plane.cluster.kubectl("--namespace", drill, "patch", "gadget/one", "--type=merge", "--patch", held);
  const removal = await plane.outcome(await plane.service.removeScratch(restored.crn));
  expect(removal).toEqual({ state: "COMPLETED", messages: [] });
  expect(await everythingElse()).toEqual(before);
  const uuid = restored.crn.slice(restored.crn.lastIndexOf(":") + 1);
  const traces = (await plane.clusterScoped()).filter((object) => {
    const text = JSON.stringify(object);
    return text.includes(drill) || text.includes(uuid);
  });
  expect(traces.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
});

/** All that is not of the copy: production and a bystander by the versions of their objects, and the files of production's claim. */
async function everythingElse() {
  const [production, itsVault, others] = await Promise.all(
    [main, vault, bystander].map((one) => plane.versionsOf(one)),
  );
  const clusterScoped = (await plane.clusterScoped()).filter(isProductions).map(versionOf).sort();
  const files = [...(await treeDigest(await claimFolder(plane.cluster, main, "data-store-0")))];
  return { production, itsVault, others, clusterScoped, files };
}

/** Whether a cluster-scoped object is of these namespaces; tests that run beside this one have their own. */
function isProductions(object: KubernetesObject): boolean {
  const { claimRef } = (object["spec"] ?? {}) as { claimRef?: { namespace?: string } };
  const names = [object.metadata.name, claimRef?.namespace ?? ""];
  return (
    [main, vault, bystander].some((one) => names.includes(one)) || object.metadata.name.includes("scratch-example")
  );
}

async function file(name: string, text: string): Promise<string> {
  const path = join(plane.cluster.folder, `${name}.yaml`);
  await writeFile(path, text);
  return path;
}

const free = JSON.stringify({ metadata: { finalizers: null } });
const held = JSON.stringify({ metadata: { finalizers: ["scratch.example/tears-down"] } });

const clusterScoped = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: scratch-example }
rules: [{ apiGroups: [""], resources: [namespaces], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: scratch-example }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: scratch-example }
subjects: [{ kind: ServiceAccount, name: web, namespace: ${main} }]
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: { name: scratch-example }
value: 7
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gadgets.scratch.example }
spec:
  group: scratch.example
  scope: Namespaced
  names: { kind: Gadget, singular: gadget, plural: gadgets }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`;

const gadget = `
apiVersion: scratch.example/v1
kind: Gadget
metadata: { name: one, finalizers: [scratch.example/tears-down] }
spec: { size: 1 }
`;

const service = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, ports: [{ port: 80 }], selector: { app: web } }
`;

/** What others, the vault and outside reach it by. */
const ways = `
apiVersion: v1
kind: Service
metadata: { name: balanced }
spec: { type: LoadBalancer, ports: [{ port: 443 }], selector: { app: web } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: from-vault }
spec:
  podSelector: {}
  ingress: [{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ${vault} } } }] }]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web }
spec: { defaultBackend: { service: { name: web, port: { number: 80 } } } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: web }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: web }
subjects:
  - { kind: ServiceAccount, name: web, namespace: ${main} }
  - { kind: Group, name: "system:serviceaccounts:${vault}", apiGroup: rbac.authorization.k8s.io }
`;
