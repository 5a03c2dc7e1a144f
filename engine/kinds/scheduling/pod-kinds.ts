import { pods } from "../../kubernetes/built-in-kinds.ts";
import type { Kind } from "../saving-rules.ts";

/** The kinds whose objects are pods or have a template of them. */
export const podKinds: readonly Kind[] = [
  pods,
  ...["deployments", "statefulsets", "daemonsets", "replicasets"].map((resource) => ({
    apiVersion: "apps/v1",
    resource,
  })),
  ...["jobs", "cronjobs"].map((resource) => ({ apiVersion: "batch/v1", resource })),
];
