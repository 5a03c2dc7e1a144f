import type { ResourceType } from "./kubernetes-object.ts";

const unqualifiedGroups = ["", "apps", "autoscaling", "batch", "extensions", "policy"];
const qualifiedGroups =
  "admissionregistration apiextensions apiregistration authentication authorization certificates coordination discovery " +
  "events flowcontrol.apiserver internal.apiserver networking node rbac.authorization resource scheduling storage storagemigration";
const builtInGroups = new Set([...unqualifiedGroups, ...qualifiedGroups.split(" ").map((group) => `${group}.k8s.io`)]);

/** Whether a group's kinds are Kubernetes' own: https://kubernetes.io/docs/reference/kubernetes-api/ */
export function isBuiltInGroup(group: string): boolean {
  return builtInGroups.has(group);
}

/* Kubernetes' own kinds, and those of its volume snapshots, that more than one room of the engine asks for by themselves. */

type Kind = Pick<ResourceType, "apiVersion" | "resource">;

export const customResourceDefinitions: Kind = {
  apiVersion: "apiextensions.k8s.io/v1",
  resource: "customresourcedefinitions",
};
export const events: Kind = { apiVersion: "v1", resource: "events" };
export const csiStorageCapacities: Kind = { apiVersion: "storage.k8s.io/v1", resource: "csistoragecapacities" };
export const csiNodes: Kind = { apiVersion: "storage.k8s.io/v1", resource: "csinodes" };
export const jobs: Kind = { apiVersion: "batch/v1", resource: "jobs" };
export const networkPolicies: Kind = { apiVersion: "networking.k8s.io/v1", resource: "networkpolicies" };
export const nodes: Kind = { apiVersion: "v1", resource: "nodes" };
export const pods: Kind = { apiVersion: "v1", resource: "pods" };
export const secrets: Kind = { apiVersion: "v1", resource: "secrets" };
export const services: Kind = { apiVersion: "v1", resource: "services" };

export const storageClasses: ResourceType = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  resource: "storageclasses",
  namespaced: false,
};
export const volumeSnapshots: ResourceType = {
  apiVersion: "snapshot.storage.k8s.io/v1",
  kind: "VolumeSnapshot",
  resource: "volumesnapshots",
  namespaced: true,
};
export const volumeSnapshotContents: ResourceType = {
  apiVersion: "snapshot.storage.k8s.io/v1",
  kind: "VolumeSnapshotContent",
  resource: "volumesnapshotcontents",
  namespaced: false,
};
export const volumeSnapshotClasses: ResourceType = {
  apiVersion: "snapshot.storage.k8s.io/v1",
  kind: "VolumeSnapshotClass",
  resource: "volumesnapshotclasses",
  namespaced: false,
};
export const persistentVolumeClaims: ResourceType = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  resource: "persistentvolumeclaims",
  namespaced: true,
};
export const persistentVolumes: ResourceType = {
  apiVersion: "v1",
  kind: "PersistentVolume",
  resource: "persistentvolumes",
  namespaced: false,
};
