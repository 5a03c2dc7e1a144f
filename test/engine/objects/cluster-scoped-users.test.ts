import { expect, test } from "vitest";
import type { Cluster } from "../../../engine/kubernetes/cluster.ts";
import type { KubernetesObject } from "../../../engine/kubernetes/kubernetes-object.ts";
import { isUsedOnlyBy } from "../../../engine/objects/cluster-scoped-users.ts";

type Objects = Readonly<Record<string, readonly KubernetesObject[]>>;
const { signal } = new AbortController();

/** Whether only `cdp` uses an object of a kind, in a cluster that holds these objects, by their `apiVersion resource`. */
function isOurs(kind: string, object: Partial<KubernetesObject>, objects: Objects): Promise<boolean> {
  const [apiVersion = "", resource = ""] = kind.split(" ");
  const list = async function* (type: { apiVersion: string; resource: string }) {
    yield* objects[`${type.apiVersion} ${type.resource}`] ?? [];
  };
  const cluster = { list } as unknown as Cluster;
  const whole = { ...object, metadata: { name: "x", ...object.metadata } };
  return isUsedOnlyBy(new Set(["cdp"]), cluster, { apiVersion, resource }, whole, signal);
}
const inside = (namespace: string, rest: object) => [{ metadata: { name: "user", namespace }, ...rest }];

const rbac = "rbac.authorization.k8s.io/v1";
const devices = { devices: { requests: [{ exactly: { deviceClassName: "x" } }] } };

test.each<[kind: string, users: string, user: object]>([
  ["storage.k8s.io/v1 storageclasses", "v1 persistentvolumeclaims", { spec: { storageClassName: "x" } }],
  [
    "storage.k8s.io/v1 volumeattributesclasses",
    "v1 persistentvolumeclaims",
    { spec: { volumeAttributesClassName: "x" } },
  ],
  ["networking.k8s.io/v1 ingressclasses", "networking.k8s.io/v1 ingresses", { spec: { ingressClassName: "x" } }],
  ["resource.k8s.io/v1 deviceclasses", "resource.k8s.io/v1 resourceclaims", { spec: devices }],
  ["resource.k8s.io/v1beta2 deviceclasses", "resource.k8s.io/v1beta2 resourceclaims", { spec: devices }],
  ["resource.k8s.io/v1 deviceclasses", "resource.k8s.io/v1 resourceclaimtemplates", { spec: { spec: devices } }],
  [
    "gateway.networking.k8s.io/v1 gatewayclasses",
    "gateway.networking.k8s.io/v1 gateways",
    { spec: { gatewayClassName: "x" } },
  ],
  ["scheduling.k8s.io/v1 priorityclasses", "v1 pods", { spec: { containers: [], priorityClassName: "x" } }],
  [`${rbac} clusterroles`, `${rbac} rolebindings`, { roleRef: { kind: "ClusterRole", name: "x" } }],
])("%s are the control plane's until %s elsewhere name them", async (kind, users, user) => {
  expect(await isOurs(kind, {}, { [users]: inside("cdp", user) })).toBe(true);
  expect(await isOurs(kind, {}, { [users]: inside("elsewhere", user) })).toBe(false);
});

test.each([
  ["ServiceAccount of ours", { kind: "ServiceAccount", namespace: "cdp", name: "a" }, true],
  ["our account as a user", { kind: "User", name: "system:serviceaccount:cdp:a" }, true],
  ["our accounts as a group", { kind: "Group", name: "system:serviceaccounts:cdp" }, true],
  ["another account as a user", { kind: "User", name: "system:serviceaccount:other:a" }, false],
  ["a user", { kind: "User", name: "alice" }, false],
])("a binding of %s: %s", async (_, subject, isSo) => {
  const binding = { subjects: [subject], roleRef: { kind: "ClusterRole", name: "x" } };
  expect(await isOurs(`${rbac} clusterrolebindings`, binding, {})).toBe(isSo);
  const bindings = [{ metadata: { name: "b" }, ...binding }];
  expect(await isOurs(`${rbac} clusterroles`, {}, { [`${rbac} clusterrolebindings`]: bindings })).toBe(isSo);
});

test("a cluster role is also used by those who have a role that collects its rules", async () => {
  const role = { metadata: { name: "x", labels: { part: "yes" } } };
  const collector = {
    metadata: { name: "collector" },
    aggregationRule: { clusterRoleSelectors: [{ matchExpressions: [{ key: "part", operator: "Exists" }] }] },
  };
  const roleRef = { kind: "ClusterRole", name: "collector" };
  const world = (namespace: string) => ({
    [`${rbac} clusterroles`]: [collector],
    [`${rbac} rolebindings`]: inside(namespace, { roleRef }),
  });
  expect(await isOurs(`${rbac} clusterroles`, role, world("cdp"))).toBe(true);
  expect(await isOurs(`${rbac} clusterroles`, role, world("elsewhere"))).toBe(false);
});

const releasedIn = (namespace: string, labels: Record<string, string> = {}) => ({
  metadata: {
    name: "x",
    labels: { "app.kubernetes.io/managed-by": "Helm", ...labels },
    annotations: { "meta.helm.sh/release-namespace": namespace },
  },
});

test("what a Helm release of the control plane has installed is its own, but not what others are seen to use", async () => {
  const alice = { subjects: [{ kind: "User", name: "alice" }] };
  const addsToEdit = { "rbac.authorization.k8s.io/aggregate-to-edit": "true" };
  for (const [kind, labels, rest] of [
    ["storage.k8s.io/v1 csidrivers", {}, {}],
    [`${rbac} clusterrolebindings`, {}, alice],
    [`${rbac} clusterroles`, addsToEdit, {}],
  ] as const) {
    expect([kind, await isOurs(kind, { ...releasedIn("cdp", labels), ...rest }, {})]).toEqual([kind, true]);
    expect([kind, await isOurs(kind, { ...releasedIn("elsewhere", labels), ...rest }, {})]).toEqual([kind, false]);
  }
  const claims = { "v1 persistentvolumeclaims": inside("elsewhere", { spec: { storageClassName: "x" } }) };
  expect(await isOurs("storage.k8s.io/v1 storageclasses", releasedIn("cdp"), claims)).toBe(false);
});

test.each<[string, Partial<KubernetesObject>]>([
  ["scheduling.k8s.io/v1 priorityclasses", { globalDefault: true }],
  ["resource.k8s.io/v1 deviceclasses", { spec: { extendedResourceName: "example.com/gpu" } }],
  [
    "networking.k8s.io/v1 ingressclasses",
    { metadata: { name: "x", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } } },
  ],
])("%s for objects that name none are anybody's", async (kind, object) => {
  expect(await isOurs(kind, object, {})).toBe(false);
});
