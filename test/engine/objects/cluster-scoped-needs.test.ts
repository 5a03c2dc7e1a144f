import { expect, test } from "vitest";
import type { KubernetesObject, ResourceType } from "../../../engine/kubernetes/kubernetes-object.ts";
import { ClusterScopedNeeds } from "../../../engine/objects/cluster-scoped-needs.ts";

type Spec = Record<string, unknown>;

/** Of `storage.k8s.io/v1 StorageClass storageclasses`. */
function typeOf(words: string, namespaced: boolean): ResourceType {
  const [apiVersion = "", kind = "", resource = ""] = words.split(" ");
  return { apiVersion, kind, resource, namespaced };
}
const named = (name: string, rest: Spec = {}): KubernetesObject => ({ metadata: { name }, ...rest });

const claims = "v1 PersistentVolumeClaim persistentvolumeclaims";
const ingresses = "networking.k8s.io/v1 Ingress ingresses";
const roleBindings = "rbac.authorization.k8s.io/v1 RoleBinding rolebindings";
const deployments = "apps/v1 Deployment deployments";
const storageClass = "storage.k8s.io/v1 StorageClass storageclasses";
const attributes = "storage.k8s.io/v1 VolumeAttributesClass volumeattributesclasses";
const volume = "v1 PersistentVolume persistentvolumes";
const priority = "scheduling.k8s.io/v1 PriorityClass priorityclasses";
const runtime = "node.k8s.io/v1 RuntimeClass runtimeclasses";
const ingressClass = "networking.k8s.io/v1 IngressClass ingressclasses";
const deviceClass = "resource.k8s.io/v1 DeviceClass deviceclasses";
const gatewayClass = "gateway.networking.k8s.io/v1 GatewayClass gatewayclasses";
const definition = "apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions";
const clusterRole = "rbac.authorization.k8s.io/v1 ClusterRole clusterroles";
const clusterBinding = "rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings";

const template = (pod: Spec) => ({ spec: { template: { spec: { containers: [], ...pod } } } });
const devices = (request: Spec) => ({ spec: { devices: { requests: [request] } } });

test.each<[string, Spec, string, string]>([
  [claims, { spec: { storageClassName: "system-fast" } }, storageClass, "system-fast"],
  [claims, { spec: { volumeName: "system-share", storageClassName: "" } }, volume, "system-share"],
  [claims, { spec: { volumeAttributesClassName: "gold" } }, attributes, "gold"],
  [ingresses, { spec: { ingressClassName: "nginx" } }, ingressClass, "nginx"],
  [deployments, template({ priorityClassName: "system-ours" }), priority, "system-ours"],
  [deployments, template({ runtimeClassName: "gvisor" }), runtime, "gvisor"],
  ["v1 PodTemplate podtemplates", template({ priorityClassName: "ours" }).spec, priority, "ours"],
  [
    "apps/v1 ControllerRevision controllerrevisions",
    { data: template({ priorityClassName: "former" }) },
    priority,
    "former",
  ],
  [
    "batch/v1 CronJob cronjobs",
    { spec: { jobTemplate: template({ priorityClassName: "nightly" }) } },
    priority,
    "nightly",
  ],
  [
    "resource.k8s.io/v1 ResourceClaim resourceclaims",
    devices({ exactly: { deviceClassName: "gpu" } }),
    deviceClass,
    "gpu",
  ],
  ["resource.k8s.io/v1beta1 ResourceClaim resourceclaims", devices({ deviceClassName: "gpu" }), deviceClass, "gpu"],
  [
    "resource.k8s.io/v1 ResourceClaimTemplate resourceclaimtemplates",
    { spec: devices({ firstAvailable: [{ deviceClassName: "other" }, { deviceClassName: "gpu" }] }) },
    deviceClass,
    "gpu",
  ],
  ["gateway.networking.k8s.io/v1 Gateway gateways", { spec: { gatewayClassName: "envoy" } }, gatewayClass, "envoy"],
  [
    "gateway.networking.k8s.io/v1 Gateway gateways",
    { spec: { gatewayClassName: "envoy" } },
    definition,
    "gatewayclasses.gateway.networking.k8s.io",
  ],
  ["example.com/v1 Broker brokers", {}, definition, "brokers.example.com"],
  [roleBindings, { roleRef: { kind: "ClusterRole", name: "system:ours" } }, clusterRole, "system:ours"],
])("%s %o needs %s %s", (type, user, neededType, name) => {
  const needs = new ClusterScopedNeeds(["cdp"]);
  const needed = typeOf(neededType, false);
  expect(needs.isNeeded(needed, named(name))).toBe(false);
  needs.note(typeOf(type, true), { metadata: { name: "user", namespace: "cdp" }, ...user });
  expect(needs.isNeeded(needed, named(name))).toBe(true);
  expect(needs.isNeeded(needed, named("another"))).toBe(false);
});

test("the classes of claims and ingresses count by annotation, too", () => {
  const needs = new ClusterScopedNeeds(["cdp"]);
  const annotated = (annotations: Record<string, string>) => ({ ...named("x"), metadata: { name: "x", annotations } });
  needs.note(typeOf(claims, true), annotated({ "volume.beta.kubernetes.io/storage-class": "old" }));
  needs.note(typeOf(ingresses, true), annotated({ "kubernetes.io/ingress.class": "nginx" }));
  expect(needs.isNeeded(typeOf(storageClass, false), named("old"))).toBe(true);
  expect(needs.isNeeded(typeOf(ingressClass, false), named("nginx"))).toBe(true);
});

test("what every cluster makes itself is not needed, whoever uses it", () => {
  const needs = new ClusterScopedNeeds(["cdp"]);
  needs.note(typeOf(deployments, true), named("x", template({ priorityClassName: "system-node-critical" })));
  needs.note(typeOf(roleBindings, true), named("x", { roleRef: { kind: "ClusterRole", name: "edit" } }));
  expect(needs.isNeeded(typeOf(priority, false), named("system-node-critical"))).toBe(false);
  const labels = { "kubernetes.io/bootstrapping": "rbac-defaults" };
  expect(needs.isNeeded(typeOf(clusterRole, false), { metadata: { name: "edit", labels } })).toBe(false);
});

test.each([
  [{ kind: "ServiceAccount", namespace: "cdp", name: "x" }, true],
  [{ kind: "ServiceAccount", namespace: "default", name: "x" }, false],
  [{ kind: "User", name: "system:serviceaccount:cdp:x" }, true],
  [{ kind: "User", name: "system:serviceaccount:default:x" }, false],
  [{ kind: "User", name: "system:serviceaccounts:cdp" }, false],
  [{ kind: "User", name: "cdp" }, false],
  [{ kind: "Group", name: "system:serviceaccounts:cdp" }, true],
  [{ kind: "Group", name: "system:serviceaccounts" }, false],
  [{ kind: "Group", name: "system:authenticated" }, false],
])("a binding of %o belongs along: %s", (subject, isOurs) => {
  const needs = new ClusterScopedNeeds(["cdp"]);
  const binding = named("x", { subjects: [subject], roleRef: { kind: "ClusterRole", name: "reader" } });
  expect(needs.isNeeded(typeOf(clusterBinding, false), binding)).toBe(isOurs);
  expect(needs.othersIn(typeOf(clusterBinding, false), binding)).toHaveLength(isOurs ? 0 : 1);
  expect(needs.isNeeded(typeOf(clusterRole, false), named("reader"))).toBe(isOurs);
});

type Role = KubernetesObject & { aggregationRule?: object; rules?: object[] };
const role = (name: string, labels: Record<string, string>, rest: Partial<Role> = {}): Role => ({
  metadata: { name, labels },
  ...rest,
});
const collecting = (...clusterRoleSelectors: object[]) => ({ aggregationRule: { clusterRoleSelectors } });
const granting = (...apiGroups: string[]) => ({ rules: [{ apiGroups, resources: ["*"], verbs: ["get"] }] });
const aggregateTo = (name: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${name}`]: "true" });

const roles: readonly Role[] = [
  role("by-labels", {}, collecting({ matchLabels: { part: "one" } })),
  role(
    "by-expressions",
    {},
    collecting({ matchExpressions: [{ key: "part", operator: "In", values: ["two", "three"] }] }),
  ),
  role("of-others", {}, collecting({ matchExpressions: [{ key: "of", operator: "Exists" }] })),
  role("of-view", {}, collecting({ matchLabels: aggregateTo("edit") })),
  role("one", { part: "one" }),
  role("two", { part: "two", of: "others" }, collecting({ matchLabels: { part: "one", deep: "yes" } })),
  role("deep", { part: "one", deep: "yes" }, collecting({ matchLabels: { part: "two" } })),
  role("of-bootstrap", { part: "one", "kubernetes.io/bootstrapping": "rbac-defaults" }),
  role("pods-for-admin", aggregateTo("admin"), granting("")),
  role("brokers-for-edit", aggregateTo("edit"), granting("example.com")),
  role("others-for-edit", aggregateTo("edit"), granting("elsewhere.example.com")),
  role("jobs-for-view", aggregateTo("view"), granting("batch", "elsewhere.example.com")),
];

test.each([
  ["by-labels", ["one", "deep", "two", "brokers-for-edit"]],
  ["by-expressions", ["two", "deep", "brokers-for-edit"]],
  ["of-others", ["two", "deep", "brokers-for-edit"]],
  ["admin", ["pods-for-admin", "brokers-for-edit", "others-for-edit", "jobs-for-view"]],
  ["edit", ["brokers-for-edit", "others-for-edit", "jobs-for-view"]],
  ["view", ["jobs-for-view", "brokers-for-edit"]],
  ["of-view", ["brokers-for-edit", "others-for-edit", "jobs-for-view"]],
  ["one", ["brokers-for-edit"]],
])("cluster role %s needs what is aggregated into it: %o", (bound, parts) => {
  const needs = new ClusterScopedNeeds(["cdp"]);
  needs.note(typeOf(roleBindings, true), named("x", { roleRef: { kind: "ClusterRole", name: bound } }));
  needs.note(typeOf("example.com/v1 Broker brokers", true), named("x"));
  const needed = new Set<string>();
  // Each one before its parts, as they are saved.
  for (let count = -1; count !== needed.size;) {
    count = needed.size;
    for (const each of roles) if (needs.isNeeded(typeOf(clusterRole, false), each)) needed.add(each.metadata.name);
  }
  needed.delete(bound);
  expect([...needed].sort()).toEqual([...parts].sort());
});

test("what is named and not found is reported with its user, but not what need not be there", () => {
  const needs = new ClusterScopedNeeds(["cdp"]);
  const noted = (type: string, object: Spec) =>
    needs.note(typeOf(type, true), { metadata: { name: "user", namespace: "cdp" }, ...object });
  noted(claims, { spec: { storageClassName: "gone", volumeName: "lost" } });
  noted(claims, { spec: { storageClassName: "by-hand", volumeName: "share" } });
  noted(ingresses, { metadata: { name: "old", annotations: { "kubernetes.io/ingress.class": "nginx" } } });
  noted(deployments, template({ priorityClassName: "there" }));
  noted("apps/v1 ReplicaSet replicasets", template({ priorityClassName: "of-an-old-revision" }));
  expect(needs.isNeeded(typeOf(priority, false), named("there"))).toBe(true);
  const share = named("share", { spec: { storageClassName: "by-hand", nfs: {} } });
  expect(needs.isNeeded(typeOf(volume, false), share)).toBe(true);
  const user = { kind: "PersistentVolumeClaim", namespace: "cdp", name: "user" };
  expect([...needs.missing()]).toEqual([{ kind: "storageclasses.storage.k8s.io", name: "gone", user }]);
});
