import type { KubernetesObject } from "./kubernetes-object.ts";

/** The fields that the simulator itself reads or writes, kind by kind. Objects hold more. */

export interface Namespace extends KubernetesObject {
  spec?: { finalizers?: string[] };
  status?: { phase: "Active" | "Terminating" };
}

export interface Reference {
  apiVersion?: string;
  kind?: string;
  apiGroup?: string | null;
  namespace?: string;
  name?: string;
  uid?: string;
  resourceVersion?: string;
}

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
}

export interface PodSpec {
  containers?: { name: string; image?: string }[];
  nodeName?: string;
  restartPolicy?: string;
  serviceAccountName?: string;
  hostname?: string;
  volumes?: { name: string; persistentVolumeClaim?: { claimName: string } }[];
  [field: string]: unknown;
}

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: PodSpec;
}

export interface Pod extends KubernetesObject {
  spec?: PodSpec;
  status?: { phase?: "Pending" | "Running" | "Succeeded" | "Failed"; conditions?: Condition[] };
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: "In" | "NotIn" | "Exists" | "DoesNotExist"; values?: string[] }[];
}

/** Deployments, replica sets, stateful sets, daemon sets and jobs: what they share. */
export interface Workload extends KubernetesObject {
  spec?: {
    replicas?: number;
    selector?: LabelSelector;
    template?: PodTemplate;
    volumeClaimTemplates?: KubernetesObject[];
    podManagementPolicy?: "OrderedReady" | "Parallel";
    paused?: boolean;
    suspend?: boolean;
    completions?: number;
    parallelism?: number;
    manualSelector?: boolean;
    [field: string]: unknown;
  };
  status?: Record<string, unknown>;
}

export interface Claim extends KubernetesObject {
  spec?: {
    accessModes?: string[];
    resources?: { requests?: { storage?: string } };
    storageClassName?: string;
    volumeName?: string;
    volumeMode?: string;
    dataSource?: Reference;
    dataSourceRef?: Reference;
    selector?: LabelSelector;
  };
  status?: { phase?: "Pending" | "Bound" | "Lost"; accessModes?: string[]; capacity?: { storage?: string } };
}

export interface Volume extends KubernetesObject {
  spec?: {
    accessModes?: string[];
    capacity?: { storage?: string };
    claimRef?: Reference;
    csi?: { driver: string; volumeHandle: string; [field: string]: unknown };
    persistentVolumeReclaimPolicy?: "Retain" | "Delete";
    storageClassName?: string;
    volumeMode?: string;
  };
  status?: { phase?: "Available" | "Bound" | "Released" | "Failed"; lastPhaseTransitionTime?: string };
}

export interface StorageClass extends KubernetesObject {
  provisioner: string;
  reclaimPolicy?: "Retain" | "Delete";
  volumeBindingMode?: "Immediate" | "WaitForFirstConsumer";
  mountOptions?: string[];
  parameters?: Record<string, string>;
}

interface SnapshotError {
  message: string;
  time: string;
}

export interface VolumeSnapshot extends KubernetesObject {
  spec?: {
    volumeSnapshotClassName?: string;
    source?: { persistentVolumeClaimName?: string; volumeSnapshotContentName?: string };
  };
  status?: {
    boundVolumeSnapshotContentName?: string;
    creationTime?: string;
    readyToUse?: boolean;
    restoreSize?: string;
    error?: SnapshotError;
  };
}

export interface VolumeSnapshotContent extends KubernetesObject {
  spec?: {
    deletionPolicy?: "Retain" | "Delete";
    driver?: string;
    source?: { snapshotHandle?: string; volumeHandle?: string };
    sourceVolumeMode?: string;
    volumeSnapshotClassName?: string;
    volumeSnapshotRef?: Reference;
  };
  status?: {
    snapshotHandle?: string;
    /** Nanoseconds since 1970: more than a double holds. */
    creationTime?: unknown;
    readyToUse?: boolean;
    restoreSize?: number;
    error?: SnapshotError;
  };
}

export interface VolumeSnapshotClass extends KubernetesObject {
  driver: string;
  deletionPolicy: "Retain" | "Delete";
}

export interface CustomResourceDefinition extends KubernetesObject {
  spec?: {
    group: string;
    scope: "Namespaced" | "Cluster";
    names: {
      kind: string;
      plural: string;
      singular?: string;
      listKind?: string;
      shortNames?: string[];
      categories?: string[];
    };
    versions: {
      name: string;
      served: boolean;
      storage: boolean;
      subresources?: { status?: object; scale?: object };
    }[];
  };
  status?: { conditions?: Condition[]; [field: string]: unknown };
}

export interface Service extends KubernetesObject {
  spec?: {
    type?: string;
    clusterIP?: string;
    clusterIPs?: string[];
    ports?: { port: number; protocol?: string; targetPort?: unknown; nodePort?: number }[];
    [field: string]: unknown;
  };
}
