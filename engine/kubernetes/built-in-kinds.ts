import type { ResourceType } from "./kubernetes-object.ts";

/* Kubernetes' own kinds that more than one room of the engine asks for by themselves. */

type Kind = Pick<ResourceType, "apiVersion" | "resource">;

export const customResourceDefinitions: Kind = {
  apiVersion: "apiextensions.k8s.io/v1",
  resource: "customresourcedefinitions",
};
export const events: Kind = { apiVersion: "v1", resource: "events" };
export const jobs: Kind = { apiVersion: "batch/v1", resource: "jobs" };
export const pods: Kind = { apiVersion: "v1", resource: "pods" };
export const storageClasses: Kind = { apiVersion: "storage.k8s.io/v1", resource: "storageclasses" };
