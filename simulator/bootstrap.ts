import type { NewObject } from "./objects/kubernetes-object.ts";

/** The CSI driver whose volumes the simulator keeps. */
export const driver = "sim.csi.drs.example";
export const nodeName = "sim-node-1";

/** What a cluster has before anyone uses it. */
export function initialObjects(): readonly NewObject[] {
  return [
    ...["default", "kube-node-lease", "kube-public", "kube-system"].map((name) => ({
      kind: "Namespace",
      apiVersion: "v1",
      metadata: { name },
    })),
    node,
    {
      kind: "Service",
      apiVersion: "v1",
      metadata: {
        namespace: "default",
        name: "kubernetes",
        labels: { component: "apiserver", provider: "kubernetes" },
      },
      spec: { ports: [{ name: "https", protocol: "TCP", port: 443, targetPort: 6443 }] },
    },
    {
      kind: "StorageClass",
      apiVersion: "storage.k8s.io/v1",
      metadata: { name: "standard", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
      provisioner: driver,
      reclaimPolicy: "Delete",
      allowVolumeExpansion: true,
      volumeBindingMode: "Immediate",
    },
    ...[["system-cluster-critical", 2_000_000_000] as const, ["system-node-critical", 2_000_001_000] as const].map(
      ([name, value]) => ({
        kind: "PriorityClass",
        apiVersion: "scheduling.k8s.io/v1",
        metadata: { name },
        value,
      }),
    ),
    ...["cluster-admin", "view"].map((name) => ({
      kind: "ClusterRole",
      apiVersion: "rbac.authorization.k8s.io/v1",
      metadata: { name, labels: { "kubernetes.io/bootstrapping": "rbac-defaults" } },
      rules: [{ apiGroups: ["*"], resources: ["*"], verbs: name === "view" ? ["get", "list", "watch"] : ["*"] }],
    })),
    snapshotDefinition("VolumeSnapshot", "vs", "Namespaced", true),
    snapshotDefinition("VolumeSnapshotContent", "vsc", "Cluster", true),
    snapshotDefinition("VolumeSnapshotClass", "vsclass", "Cluster", false),
  ];
}

/** Its kind is served once the definition above is established. */
export const snapshotClass: NewObject = {
  kind: "VolumeSnapshotClass",
  apiVersion: "snapshot.storage.k8s.io/v1",
  metadata: { name: "standard", annotations: { "snapshot.storage.kubernetes.io/is-default-class": "true" } },
  driver,
  deletionPolicy: "Delete",
};

const node: NewObject = {
  kind: "Node",
  apiVersion: "v1",
  metadata: { name: nodeName, labels: { "kubernetes.io/hostname": nodeName, "kubernetes.io/os": "linux" } },
  spec: {},
  status: {
    capacity: { cpu: "8", memory: "32Gi", pods: "250" },
    allocatable: { cpu: "8", memory: "32Gi", pods: "250" },
    conditions: [{ type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" }],
    nodeInfo: { kubeletVersion: "v1.35.4", operatingSystem: "linux", architecture: "amd64" },
  },
};

function snapshotDefinition(kind: string, shortName: string, scope: string, hasStatus: boolean): NewObject {
  const plural = kind === "VolumeSnapshotClass" ? "volumesnapshotclasses" : `${kind.toLowerCase()}s`;
  return {
    kind: "CustomResourceDefinition",
    apiVersion: "apiextensions.k8s.io/v1",
    metadata: { name: `${plural}.snapshot.storage.k8s.io` },
    spec: {
      group: "snapshot.storage.k8s.io",
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames: [shortName] },
      scope,
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          ...(hasStatus ? { subresources: { status: {} } } : {}),
        },
      ],
    },
  };
}
