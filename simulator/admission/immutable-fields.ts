import { forbidden, invalid } from "../objects/api-error.ts";
import { sameJson } from "../objects/json.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";
import { resourceId } from "../objects/resource.ts";
import type { Resource } from "../objects/resource.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Of these kinds, the fields that no update may change; `spec.*` is all of the spec but what follows it. */
const immutable: Readonly<Record<string, readonly string[]>> = {
  "clusterrolebindings.rbac.authorization.k8s.io": ["roleRef"],
  "daemonsets.apps": ["spec.selector"],
  "deployments.apps": ["spec.selector"],
  "jobs.batch": ["spec.selector", "spec.template", "spec.completionMode"],
  persistentvolumes: ["spec.csi", "spec.volumeMode"],
  "replicasets.apps": ["spec.selector"],
  "rolebindings.rbac.authorization.k8s.io": ["roleRef"],
  secrets: ["type"],
  "storageclasses.storage.k8s.io": ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"],
  "volumesnapshots.snapshot.storage.k8s.io": ["spec.source"],
  "volumesnapshotcontents.snapshot.storage.k8s.io": ["spec.source", "spec.driver"],
};

/** Of these kinds, the only fields of the spec that an update may change. */
const mutableSpec: Readonly<Record<string, readonly string[]>> = {
  persistentvolumeclaims: ["resources", "volumeAttributesClassName"],
  "statefulsets.apps": [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
  ],
};

/** Throws when an update changes what its kind does not let change. */
export function checkImmutable(resource: Resource, before: KubernetesObject, after: KubernetesObject): void {
  const id = resourceId(resource);
  const { name } = after.metadata;
  for (const path of immutable[id] ?? []) {
    if (!sameJson(valueAt(before, path), valueAt(after, path)))
      throw invalid(resource, name, path, "Invalid value: field is immutable");
  }
  const mutable = mutableSpec[id];
  if (mutable !== undefined && !sameJson(without(before["spec"], mutable), without(after["spec"], mutable))) {
    // A claim that is not bound yet is bound by setting its volume's name.
    const isBinding = id === "persistentvolumeclaims" && valueAt(before, "spec.volumeName") === undefined;
    if (
      !isBinding ||
      !sameJson(without(before["spec"], [...mutable, "volumeName"]), without(after["spec"], [...mutable, "volumeName"]))
    ) {
      throw invalid(
        resource,
        name,
        "spec",
        `Forbidden: updates to fields other than ${mutable.join(", ")} are forbidden`,
      );
    }
  }
  if ((id === "secrets" || id === "configmaps") && before["immutable"] === true) {
    if (["data", "binaryData", "immutable"].some((field) => !sameJson(before[field], after[field]))) {
      throw invalid(resource, name, "data", "Forbidden: field is immutable when `immutable` is set");
    }
  }
  const added =
    after.metadata.finalizers?.filter((finalizer) => !before.metadata.finalizers?.includes(finalizer)) ?? [];
  if (before.metadata.deletionTimestamp !== undefined && added.length > 0) {
    throw forbidden(resource, name, "no new finalizers can be added if the object is being deleted");
  }
}

function valueAt(object: KubernetesObject, path: string): unknown {
  let value: unknown = object;
  for (const name of path.split(".")) value = (value as Fields | undefined)?.[name];
  return value;
}

function without(spec: unknown, fields: readonly string[]): unknown {
  return Object.fromEntries(Object.entries((spec ?? {}) as Fields).filter(([name]) => !fields.includes(name)));
}
