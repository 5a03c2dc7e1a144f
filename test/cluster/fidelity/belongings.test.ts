import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aControlPlane, clusterPath, type Outcome, type SmallControlPlane } from "./support.ts";

const namespace = "belongings";
const clusterRoles = "rbac.authorization.k8s.io/v1/clusterroles";
const storage = "storage.k8s.io/v1";

/** What only this control plane has, by kind and name. */
const belongings = [
  [`${storage}/storageclasses`, "system-fast-belongings"],
  [`${storage}/volumeattributesclasses`, "gold-belongings"],
  ["v1/persistentvolumes", "system-share-belongings"],
  ["networking.k8s.io/v1/ingressclasses", "ours-belongings"],
  ["resource.k8s.io/v1/deviceclasses", "gpu-belongings"],
  ["rbac.authorization.k8s.io/v1/clusterrolebindings", "belongings-monitoring"],
  [clusterRoles, "belongings-monitoring"],
  [clusterRoles, "a-part-of-belongings"],
  [clusterRoles, "belongings-for-edit"],
  [`${storage}/csidrivers`, "released-belongings"],
  ["admissionregistration.k8s.io/v1/validatingadmissionpolicies", "released-belongings"],
  ["admissionregistration.k8s.io/v1/validatingadmissionpolicybindings", "released-belongings"],
  ["belongings.example.com/v1/issuers", "released"],
  ["apiextensions.k8s.io/v1/customresourcedefinitions", "issuers.belongings.example.com"],
  ["apiextensions.k8s.io/v1/customresourcedefinitions", "unused.belongings.example.com"],
  ["scheduling.k8s.io/v1/priorityclasses", "asked-for-belongings"],
] as const;

let plane: SmallControlPlane;
let before: readonly KubernetesObject[];
let backup: Outcome;
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane(namespace, definitions, { flags: [`--further-objects=${further}`] });
  await plane.kubectl("wait", "--for=condition=Established", "crd/issuers.belongings.example.com");
  await plane.create(manifests);
  for (const claim of ["fast", "share"])
    await plane.until("v1/persistentvolumeclaims", claim, ({ status }) => status.phase === "Bound");
  await rulesOfMonitoring();
  before = await picture();
  backup = await plane.backUp({ state: "PARTIALLY_FAILED" });
  await plane.kubectl("delete", "namespace", namespace);
  for (const [kind, name] of belongings) await plane.cluster.kubernetes.delete(clusterPath(kind, name));
  const share = clusterPath("v1/persistentvolumes", "system-share-belongings");
  await eventually("the share is gone", async () => (await plane.cluster.kubernetes.find(share)) === undefined);
  restored = await plane.restore({ state: "PARTIALLY_FAILED" });
});

afterAll(async () => plane?.remove());

test("what belongs to a control plane comes back, however it belongs to it", async () => {
  expect(await picture()).toEqual(before);
});

test("nothing is reported but that no snapshot has the share's data, and what is named and not there", () => {
  expect({ errors: backup.errors, warnings: ofOthers(backup.warnings) }).toEqual({
    errors: [],
    warnings: [
      "belongings: Ingress lost needs ingressclasses.networking.k8s.io/nobodys-belongings, which does not exist",
    ],
  });
  expect({ errors: restored.errors, warnings: ofOthers(restored.warnings) }).toEqual({ errors: [], warnings: [] });
});

test("an aggregated role has its rules again, and an account that is bound as a user its rights", async () => {
  expect(await rulesOfMonitoring()).toMatchObject([{ resources: ["services", "endpoints", "pods"] }]);
  const watcher = `--as=system:serviceaccount:${namespace}:watcher`;
  expect((await plane.kubectl("auth", "can-i", "watch", "endpoints", watcher)).trim()).toBe("yes");
  const user = ["--as=somebody", "--as-group=belongings-editors"];
  await eventually("the editors' role has its part again", async () =>
    (await plane.kubectl("auth", "can-i", "create", "pods/belonging", ...user).catch(() => "no")).startsWith("yes"),
  );
});

function ofOthers(warnings: readonly string[]): readonly string[] {
  return warnings.filter((warning) => !/claim share /.test(warning));
}

/** The rules that the cluster has collected. */
function rulesOfMonitoring(): Promise<readonly object[]> {
  return eventually("the role has its rules", async () => {
    const { rules } = await plane.cluster.kubernetes.get(clusterPath(clusterRoles, "belongings-monitoring"));
    return (rules ?? []).length > 0 && (rules as object[]);
  });
}

/** Each of the belongings, without the fields that the cluster sets again. */
async function picture(): Promise<readonly KubernetesObject[]> {
  return Promise.all(
    belongings.map(async ([kind, name]) => {
      const { status: _, ...object } = await plane.cluster.kubernetes.get(clusterPath(kind, name));
      const { labels, annotations } = object.metadata;
      delete object["spec"]?.claimRef;
      return { ...object, metadata: { name, ...(labels && { labels }), ...(annotations && { annotations }) } };
    }),
  );
}

const further = "priorityclasses.scheduling.k8s.io?belongings.example.com/of";
const released = `labels: { app.kubernetes.io/managed-by: Helm }
  annotations: { meta.helm.sh/release-name: x, meta.helm.sh/release-namespace: ${namespace} }`;

const definitions = ["issuers", "unused"]
  .map(
    (plural) => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: ${plural}.belongings.example.com
  ${plural === "unused" ? released : ""}
spec:
  group: belongings.example.com
  scope: Cluster
  names: { plural: ${plural}, kind: Of${plural} }
  versions: [{ name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } } }]
`,
  )
  .join("---");

const rbac = "apiVersion: rbac.authorization.k8s.io/v1";
const group = "apiGroup: rbac.authorization.k8s.io";

const manifests = `
apiVersion: ${storage}
kind: StorageClass
metadata: { name: system-fast-belongings }
provisioner: dir.csi.test
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: fast }
spec:
  { accessModes: [ReadWriteOnce], storageClassName: system-fast-belongings, resources: { requests: { storage: 1Mi } } }
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: system-share-belongings }
spec:
  accessModes: [ReadWriteMany]
  capacity: { storage: 1Gi }
  persistentVolumeReclaimPolicy: Retain
  nfs: { server: nfs.example.com, path: /exports/share }
  claimRef: { namespace: ${namespace}, name: share }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: share }
spec:
  accessModes: [ReadWriteMany]
  storageClassName: ""
  volumeName: system-share-belongings
  resources: { requests: { storage: 1Gi } }
---
apiVersion: ${storage}
kind: VolumeAttributesClass
metadata: { name: gold-belongings }
driverName: elsewhere.csi.test
parameters: { iops: "1000" }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: not-bound-yet }
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  volumeAttributesClassName: gold-belongings
  resources: { requests: { storage: 1Mi } }
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: ours-belongings }
spec: { controller: example.com/ours }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: ours }
spec: { ingressClassName: ours-belongings, defaultBackend: { service: { name: x, port: { number: 80 } } } }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: lost }
spec: { ingressClassName: nobodys-belongings, defaultBackend: { service: { name: x, port: { number: 80 } } } }
---
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: { name: gpu-belongings }
spec: { selectors: [{ cel: { expression: 'device.driver == "gpu.example.com"' } }] }
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: { name: gpu }
spec: { spec: { devices: { requests: [{ name: gpu, exactly: { deviceClassName: gpu-belongings } }] } } }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: watcher }
---
${rbac}
kind: ClusterRole
metadata: { name: belongings-monitoring }
aggregationRule: { clusterRoleSelectors: [{ matchLabels: { example.com/aggregate-to-belongings: "true" } }] }
rules: []
---
${rbac}
kind: ClusterRole
metadata: { name: a-part-of-belongings, labels: { example.com/aggregate-to-belongings: "true" } }
rules: [{ apiGroups: [""], resources: [services, endpoints, pods], verbs: [get, list, watch] }]
---
${rbac}
kind: ClusterRoleBinding
metadata: { name: belongings-monitoring }
roleRef: { ${group}, kind: ClusterRole, name: belongings-monitoring }
subjects: [{ ${group}, kind: User, name: "system:serviceaccount:${namespace}:watcher" }]
---
${rbac}
kind: ClusterRole
metadata: { name: belongings-for-edit, labels: { rbac.authorization.k8s.io/aggregate-to-edit: "true" } }
rules: [{ apiGroups: [""], resources: [pods/belonging], verbs: [create] }]
---
${rbac}
kind: RoleBinding
metadata: { name: editors }
roleRef: { ${group}, kind: ClusterRole, name: edit }
subjects: [{ ${group}, kind: Group, name: belongings-editors }]
---
apiVersion: ${storage}
kind: CSIDriver
metadata:
  name: released-belongings
  ${released}
spec: { attachRequired: false }
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: released-belongings
  ${released}
spec:
  matchConstraints:
    { resourceRules: [{ apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments] }] }
  validations: [{ expression: "object.spec.replicas < 100" }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: released-belongings
  ${released}
spec: { policyName: released-belongings, validationActions: [Deny] }
---
apiVersion: belongings.example.com/v1
kind: Ofissuers
metadata:
  name: released
  ${released}
spec: { ca: x }
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: { name: asked-for-belongings, labels: { belongings.example.com/of: control-plane } }
value: 7
`;
