import { groupOf, type KubernetesObject, type ResourceType } from "../../kubernetes/kubernetes-object.ts";

/** The workload whose controller has made a pod. */
export interface Workload {
  readonly type: Pick<ResourceType, "apiVersion" | "kind" | "resource">;
  readonly name: string;
}

/** The groups of the kinds whose controllers make pods. */
const groups: Readonly<Record<string, string>> = {
  Deployment: "apps",
  StatefulSet: "apps",
  DaemonSet: "apps",
  ReplicaSet: "apps",
  Job: "batch",
  ReplicationController: "",
};

/** The workload that a pod is of; a deployment's pods have its replica set's hash. Undefined for any other owner, and none. */
export function workloadOf({
  metadata: { labels = {}, ownerReferences = [] },
}: KubernetesObject): Workload | undefined {
  const controller = ownerReferences.find((owner) => owner.controller === true);
  if (!controller || groups[controller.kind] !== groupOf(controller.apiVersion)) return undefined;
  const { apiVersion, kind, name } = controller;
  const hash = `-${labels["pod-template-hash"] ?? ""}`;
  const isOfDeployment = kind === "ReplicaSet" && hash !== "-" && name.endsWith(hash);
  const itsKind = isOfDeployment ? "Deployment" : kind;
  return {
    type: { apiVersion, kind: itsKind, resource: `${itsKind.toLowerCase()}s` },
    name: isOfDeployment ? name.slice(0, -hash.length) : name,
  };
}
