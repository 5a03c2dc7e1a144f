import type { Resource } from "./resource.ts";

type Trait = "cluster" | "status" | "scale" | "generation" | "all" | "finalize" | "eviction" | "log";

/** The built-in kinds by group and version: kind, plural, short names, traits. */
const table: readonly (readonly [string, string, readonly (readonly [string, string, string, ...Trait[]])[]])[] = [
  [
    "",
    "v1",
    [
      ["ConfigMap", "configmaps", "cm"],
      ["Endpoints", "endpoints", "ep"],
      ["Event", "events", "ev"],
      ["LimitRange", "limitranges", "limits"],
      ["Namespace", "namespaces", "ns", "cluster", "status", "finalize"],
      ["Node", "nodes", "no", "cluster", "status"],
      ["PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "status"],
      ["PersistentVolume", "persistentvolumes", "pv", "cluster", "status"],
      ["Pod", "pods", "po", "status", "all", "eviction", "log", "generation"],
      ["PodTemplate", "podtemplates", "", "generation"],
      ["ReplicationController", "replicationcontrollers", "rc", "status", "scale", "generation", "all"],
      ["ResourceQuota", "resourcequotas", "quota", "status"],
      ["Secret", "secrets", ""],
      ["ServiceAccount", "serviceaccounts", "sa"],
      ["Service", "services", "svc", "status", "all"],
    ],
  ],
  [
    "apps",
    "v1",
    [
      ["ControllerRevision", "controllerrevisions", ""],
      ["DaemonSet", "daemonsets", "ds", "status", "generation", "all"],
      ["Deployment", "deployments", "deploy", "status", "scale", "generation", "all"],
      ["ReplicaSet", "replicasets", "rs", "status", "scale", "generation", "all"],
      ["StatefulSet", "statefulsets", "sts", "status", "scale", "generation", "all"],
    ],
  ],
  [
    "batch",
    "v1",
    [
      ["CronJob", "cronjobs", "cj", "status", "generation", "all"],
      ["Job", "jobs", "", "status", "generation", "all"],
    ],
  ],
  ["autoscaling", "v2", [["HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "status", "all"]]],
  ["policy", "v1", [["PodDisruptionBudget", "poddisruptionbudgets", "pdb", "status", "generation"]]],
  [
    "networking.k8s.io",
    "v1",
    [
      ["IngressClass", "ingressclasses", "", "cluster", "generation"],
      ["Ingress", "ingresses", "ing", "status", "generation"],
      ["NetworkPolicy", "networkpolicies", "netpol", "generation"],
    ],
  ],
  [
    "rbac.authorization.k8s.io",
    "v1",
    [
      ["ClusterRoleBinding", "clusterrolebindings", "", "cluster"],
      ["ClusterRole", "clusterroles", "", "cluster"],
      ["RoleBinding", "rolebindings", ""],
      ["Role", "roles", ""],
    ],
  ],
  [
    "storage.k8s.io",
    "v1",
    [
      ["CSIDriver", "csidrivers", "", "cluster"],
      ["CSINode", "csinodes", "", "cluster"],
      ["CSIStorageCapacity", "csistoragecapacities", ""],
      ["StorageClass", "storageclasses", "sc", "cluster"],
      ["VolumeAttachment", "volumeattachments", "", "cluster", "status"],
    ],
  ],
  ["scheduling.k8s.io", "v1", [["PriorityClass", "priorityclasses", "pc", "cluster", "generation"]]],
  ["node.k8s.io", "v1", [["RuntimeClass", "runtimeclasses", "", "cluster"]]],
  [
    "admissionregistration.k8s.io",
    "v1",
    [
      ["MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "", "cluster", "generation"],
      ["ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "", "cluster", "generation"],
    ],
  ],
  [
    "apiextensions.k8s.io",
    "v1",
    [["CustomResourceDefinition", "customresourcedefinitions", "crd,crds", "cluster", "status", "generation"]],
  ],
  ["apiregistration.k8s.io", "v1", [["APIService", "apiservices", "", "cluster", "status"]]],
  ["discovery.k8s.io", "v1", [["EndpointSlice", "endpointslices", "", "generation"]]],
  ["coordination.k8s.io", "v1", [["Lease", "leases", ""]]],
];

const traitSubresources = ["status", "scale", "finalize", "eviction", "log"] as const;

export const builtInResources: readonly Resource[] = table.flatMap(([group, version, kinds]) =>
  kinds.map(([kind, plural, shortNames, ...traits]) => ({
    group,
    version,
    plural,
    singular: kind.toLowerCase(),
    kind,
    listKind: `${kind}List`,
    shortNames: shortNames === "" ? [] : shortNames.split(","),
    categories: traits.includes("all") ? ["all"] : [],
    namespaced: !traits.includes("cluster"),
    subresources: traitSubresources.filter((name) => traits.includes(name)),
    generation: traits.includes("generation"),
    custom: false,
  })),
);

/** Questions that are answered and not stored: group, kind, plural. */
export const reviewResources = [
  { group: "authentication.k8s.io", kind: "SelfSubjectReview", plural: "selfsubjectreviews" },
  { group: "authentication.k8s.io", kind: "TokenReview", plural: "tokenreviews" },
  { group: "authorization.k8s.io", kind: "SelfSubjectAccessReview", plural: "selfsubjectaccessreviews" },
  { group: "authorization.k8s.io", kind: "SubjectAccessReview", plural: "subjectaccessreviews" },
] as const;
export type ReviewKind = (typeof reviewResources)[number]["kind"];
