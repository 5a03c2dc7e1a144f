import type { Cluster } from "../cluster.ts";
import { invalid } from "../objects/api-error.ts";
import type { Claim, CustomResourceDefinition, Namespace, StorageClass, Volume, Workload } from "../objects/kinds.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";
import { classAnnotation } from "../volumes/claim-class.ts";
import { builtIn } from "../objects/registry.ts";
import { resourceId } from "../objects/resource.ts";
import type { Resource } from "../objects/resource.ts";
import { admitJob } from "./job.ts";
import { admitPod } from "./pod-security.ts";
import { admitService } from "./service-address.ts";

/** Completes a new object in place, or throws what the API server would refuse it with. */
type Admit = (object: KubernetesObject, cluster: Cluster) => void;

const byKind: Readonly<Record<string, Admit>> = {
  "customresourcedefinitions.apiextensions.k8s.io": admitDefinition,
  "daemonsets.apps": requireSelector,
  "deployments.apps": admitReplicated,
  "jobs.batch": admitJob,
  namespaces: admitNamespace,
  persistentvolumeclaims: admitClaim,
  persistentvolumes: admitVolume,
  pods: admitPod,
  "replicasets.apps": admitReplicated,
  secrets: admitSecret,
  services: admitService,
  "statefulsets.apps": admitReplicated,
  "storageclasses.storage.k8s.io": admitStorageClass,
};

export function admit(resource: Resource, object: KubernetesObject, cluster: Cluster): void {
  for (const [index, owner] of (object.metadata.ownerReferences ?? []).entries()) {
    if (!owner.uid) {
      const field = `metadata.ownerReferences[${index}].uid`;
      throw invalid(resource, object.metadata.name, field, "Required value: uid must not be empty");
    }
  }
  byKind[resourceId(resource)]?.(object, cluster);
}

function admitNamespace(object: KubernetesObject): void {
  const namespace = object as Namespace;
  namespace.spec = { ...namespace.spec, finalizers: ["kubernetes"] };
  namespace.status = { phase: "Active" };
  namespace.metadata.labels = { ...namespace.metadata.labels, "kubernetes.io/metadata.name": namespace.metadata.name };
}

function admitClaim(object: KubernetesObject, cluster: Cluster): void {
  const claim = object as Claim;
  const spec = (claim.spec ??= {});
  if (!spec.resources?.requests?.storage) {
    throw invalid(builtIn("persistentvolumeclaims"), claim.metadata.name, "spec.resources[storage]", "Required value");
  }
  const defaultClass = [...cluster.store.list(builtIn("storageclasses.storage.k8s.io"))].find(
    (candidate) => candidate.metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true",
  );
  const hasClass = spec.storageClassName !== undefined || classAnnotation in (claim.metadata.annotations ?? {});
  if (!hasClass && defaultClass) spec.storageClassName = defaultClass.metadata.name;
  spec.volumeMode ??= "Filesystem";
  if (spec.dataSource) spec.dataSourceRef ??= { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSourceRef.namespace) spec.dataSource = { ...spec.dataSourceRef };
  addFinalizer(claim, "kubernetes.io/pvc-protection");
  claim.status = { phase: "Pending" };
}

function admitVolume(object: KubernetesObject): void {
  const volume = object as Volume;
  const spec = (volume.spec ??= {});
  spec.persistentVolumeReclaimPolicy ??= "Retain";
  spec.volumeMode ??= "Filesystem";
  if (spec.claimRef) spec.claimRef = { kind: "PersistentVolumeClaim", apiVersion: "v1", ...spec.claimRef };
  addFinalizer(volume, "kubernetes.io/pv-protection");
  volume.status = {};
}

function admitStorageClass(object: KubernetesObject): void {
  const storageClass = object as StorageClass;
  storageClass.reclaimPolicy ??= "Delete";
  storageClass.volumeBindingMode ??= "Immediate";
}

function admitSecret(object: KubernetesObject): void {
  const { stringData, ...rest } = object as KubernetesObject & { stringData?: Record<string, string> };
  object["type"] ??= "Opaque";
  if (stringData === undefined) return;
  delete object["stringData"];
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
  object["data"] = { ...(rest["data"] as object | undefined), ...Object.fromEntries(encoded) };
}

function admitReplicated(object: KubernetesObject): void {
  requireSelector(object);
  const workload = object as Workload;
  if (workload.spec) workload.spec.replicas ??= 1;
}

function requireSelector(object: KubernetesObject): void {
  const { spec, kind, metadata } = object as Workload;
  if (spec?.selector === undefined)
    throw invalid({ group: "apps", kind }, metadata.name, "spec.selector", "Required value");
  const labels = spec.template?.metadata?.labels ?? {};
  if (Object.entries(spec.selector.matchLabels ?? {}).some(([name, value]) => labels[name] !== value)) {
    const what = `Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``;
    throw invalid({ group: "apps", kind }, metadata.name, "spec.template.metadata.labels", what);
  }
}

function admitDefinition(object: KubernetesObject): void {
  const definition = object as CustomResourceDefinition;
  const { spec, metadata } = definition;
  const expected = `${spec?.names?.plural}.${spec?.group}`;
  if (spec === undefined || metadata.name !== expected) {
    const what = `Invalid value: "${metadata.name}": must be spec.names.plural+"."+spec.group`;
    throw invalid(builtIn("customresourcedefinitions.apiextensions.k8s.io"), metadata.name, "metadata.name", what);
  }
  spec.names.singular ??= spec.names.kind.toLowerCase();
  spec.names.listKind ??= `${spec.names.kind}List`;
  addFinalizer(definition, "customresourcecleanup.apiextensions.k8s.io");
}

function addFinalizer({ metadata }: KubernetesObject, finalizer: string): void {
  if (!metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
}
