import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, clusterPath, type SmallControlPlane } from "./support.ts";

const namespace = "fidelity-applied";
const definition = (plural: string, kind: string, subresources = "{ status: {} }") => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: ${plural}.applied.example.com }
spec:
  group: applied.example.com
  scope: Namespaced
  names: { kind: ${kind}, plural: ${plural} }
  versions:
    - name: v1
      served: true
      storage: true
      subresources: ${subresources}
      schema:
        openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true }
`;

/** Every kind of object that is restored in a way of its own. */
const applied = (version: number) => `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { version: "${version}" }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: account, annotations: { version: "${version}" } }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: default, annotations: { version: "${version}" } }
---
apiVersion: v1
kind: Service
metadata: { name: app, annotations: { version: "${version}" } }
spec: { selector: { app: app }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data, annotations: { version: "${version}" } }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: app }
spec:
  replicas: ${version}
  selector: { matchLabels: { app: app } }
  template:
    metadata: { labels: { app: app } }
    spec: { containers: [{ name: main, image: "main:${version}" }] }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent, annotations: { version: "${version}" } }
spec:
  selector: { matchLabels: { app: agent } }
  template: { metadata: { labels: { app: agent } }, spec: { containers: [{ name: main, image: main }] } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: yearly }
spec:
  schedule: "0 0 ${version} 1 *"
  jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: main }] } } } }
---
apiVersion: applied.example.com/v1
kind: Widget
metadata: { name: widget }
spec: { version: ${version} }
---
apiVersion: applied.example.com/v1
kind: Gadget
metadata: { name: gadget }
spec: { version: ${version} }
---
apiVersion: applied.example.com/v1
kind: Gizmo
metadata: { name: gizmo }
status: { shards: 3, assigned: 9007199254740991 }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: ${namespace} }
rules: [{ apiGroups: [""], resources: [nodes], verbs: [get], resourceNames: ["${version}"] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: ${namespace}, annotations: { version: "${version}" } }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${namespace} }
subjects: [{ kind: ServiceAccount, name: account, namespace: ${namespace} }]
---
apiVersion: v1
kind: Namespace
metadata: { name: ${namespace}, annotations: { version: "${version}" } }
`;
let plane: SmallControlPlane;

beforeAll(async () => {
  const flags = ["--restore-status=widgets.applied.example.com"];
  const definitions = [
    definition("widgets", "Widget"),
    definition("gadgets", "Gadget"),
    definition("gizmos", "Gizmo", "{}"),
  ];
  plane = await aControlPlane(namespace, definitions.join("---"), { flags });
  for (const plural of ["widgets", "gadgets", "gizmos"])
    await plane.cluster.kubectl("wait", "--for=condition=Established", `crd/${plural}.applied.example.com`);
  await apply("continuous-delivery", applied(1));
  for (const [kind, name] of [
    ["widgets", "widget"],
    ["gadgets", "gadget"],
  ] as const)
    await plane.cluster.kubernetes.request("PATCH", `${plane.path(`applied.example.com/v1/${kind}`, name)}/status`, {
      body: { status: { shards: 3, assigned: 9_007_199_254_740_991 } },
      contentType: "application/merge-patch+json",
    });
  await plane.until("v1/persistentvolumeclaims", "data", ({ status }) => status?.phase === "Bound");
  await plane.until("apps/v1/deployments", "app", ({ status }) => status?.availableReplicas === 1);
  await plane.backUp();
});

afterAll(async () => {
  await plane?.remove();
  await plane?.kubectl("delete", "--ignore-not-found", "clusterrole,clusterrolebinding", namespace); // applied, not created
});

test("who applied an object applies it again without a conflict, and others still meet one", async () => {
  await plane.kubectl("delete", "clusterrole,clusterrolebinding", namespace);
  await plane.patch("v1/configmaps", "settings", { metadata: { managedFields: [{}] } }); // as a death may leave it
  const inPlace = await plane.restore();
  expect([...inPlace.warnings, ...inPlace.errors]).toEqual([]);
  expect((await plane.get("v1/configmaps", "settings")).metadata["managedFields"]).toContainEqual(
    expect.objectContaining({ manager: "continuous-delivery", operation: "Apply" }),
  );
  await expect(apply("somebody-else", applied(2))).rejects.toThrow(/conflict/);
  await apply("continuous-delivery", applied(1));

  const workloads = ["deployment/app", "daemonset/agent", "cronjob/yearly", "service/app"];
  const others = ["configmap/settings", "serviceaccount/account", "widget/widget", "gadget/gadget", "gizmo/gizmo"];
  await plane.kubectl("delete", ...workloads, ...others);
  const { warnings, errors } = await plane.restore();
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });

  await expect(apply("somebody-else", applied(2))).rejects.toThrow(/conflict/);
  await apply("continuous-delivery", applied(2));
  expect((await plane.get("v1/configmaps", "settings"))["data"]).toEqual({ version: "2" });
});

test("the status comes back of those custom resources for which it is asked, and of no others", async () => {
  const [widget, gadget] = await Promise.all([
    plane.get("applied.example.com/v1/widgets", "widget"),
    plane.get("applied.example.com/v1/gadgets", "gadget"),
  ]);
  expect(widget["status"]).toEqual({ shards: 3, assigned: 9_007_199_254_740_991 });
  expect(gadget["status"]).toBeUndefined();
});

test("a status that is no subresource of its kind comes back without being asked for", async () => {
  const gizmo = await plane.get("applied.example.com/v1/gizmos", "gizmo");
  expect(gizmo["status"]).toEqual({ shards: 3, assigned: 9_007_199_254_740_991 });
});

test("a user's VolumeSnapshot is the same object before and after a restore, whoever owns it", async () => {
  const kind = "snapshot.storage.k8s.io/v1/volumesnapshots";
  const source = { persistentVolumeClaimName: "data" };
  const ownerReferences = [await widget()];
  await plane.cluster.kubernetes.create(plane.path(kind), {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: { name: "mine", ownerReferences },
    spec: { source, volumeSnapshotClassName: "dir" },
  });
  const before = await plane.until(kind, "mine", ({ status }) => status?.readyToUse === true);
  await plane.restore();
  const after = await plane.get(kind, "mine");
  expect(after.metadata["uid"]).toBe(before.metadata["uid"]);
  expect(after.metadata.ownerReferences).toEqual([await widget()]);
  expect([await widget()]).toEqual(ownerReferences);
  expect(after["status"]).toEqual(before["status"]);
  const content = clusterPath(
    "snapshot.storage.k8s.io/v1/volumesnapshotcontents",
    after["status"].boundVolumeSnapshotContentName,
  );
  expect((await plane.cluster.kubernetes.get(content))["status"].readyToUse).toBe(true);
});

/** The widget, as an owner. */
async function widget() {
  const { apiVersion, kind, metadata } = await plane.get("applied.example.com/v1/widgets", "widget");
  return { apiVersion, kind, name: metadata.name, uid: metadata["uid"] };
}

/** Server-side apply, as Argo CD, Flux and Helm do it. */
async function apply(manager: string, manifests: string): Promise<void> {
  const file = join(plane.cluster.folder, `${manager}.yaml`);
  await writeFile(file, manifests);
  await plane.kubectl("apply", "--server-side", `--field-manager=${manager}`, "-f", file);
}
