import { expect, test } from "vitest";
import { isSavedObject, isSavedResource } from "../../../engine/objects/object-selection.ts";

const verbs = ["create", "delete", "get", "list"];
const type = (name: string) => {
  const [resource = "", ...group] = name.split(".");
  const apiVersion = group.length === 0 ? "v1" : `${group.join(".")}/v1`;
  return { apiVersion, kind: resource, resource, namespaced: true };
};
const isSaved = (name: string, metadata: object, more: object = {}) =>
  isSavedObject(type(name), { metadata: { name: "a", ...metadata }, ...more });
const discovered = (name: string, more: object = {}) => ({ ...type(name), verbs, hasStatus: false, ...more });
const ownedBy = (kind: string, controller = true) => ({
  ownerReferences: [{ apiVersion: "any/v1", kind, name: "o", uid: "u", controller }],
});

test("kinds are saved that belong to a namespace and can be read, made and deleted", () => {
  for (const name of ["configmaps", "secrets", "deployments.apps", "widgets.example.com", "events.example.com"])
    expect(isSavedResource(discovered(name))).toBe(true);
  for (const name of [
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "csistoragecapacities.storage.k8s.io",
  ])
    expect(isSavedResource(discovered(name))).toBe(false);
  expect(isSavedResource(discovered("bindings", { verbs: ["create"] }))).toBe(false);
  expect(isSavedResource(discovered("pods.metrics.k8s.io", { verbs: ["get", "list"] }))).toBe(false);
  expect(isSavedResource(discovered("clusterroles.rbac.authorization.k8s.io", { namespaced: false }))).toBe(false);
});

test("what the cluster makes out of other objects is not saved", () => {
  const left: readonly (readonly [string, object, object?])[] = [
    ["pods", ownedBy("ReplicaSet")],
    ["pods", { annotations: { "kubernetes.io/config.mirror": "x" } }],
    ["persistentvolumeclaims", ownedBy("Pod")],
    ["endpoints", { labels: { "endpoints.kubernetes.io/managed-by": "endpoint-controller" } }],
    ["endpoints", { annotations: { "endpoints.kubernetes.io/last-change-trigger-time": "now" } }],
    [
      "endpointslices.discovery.k8s.io",
      { labels: { "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" } },
    ],
    ["configmaps", { name: "kube-root-ca.crt" }],
    [
      "secrets",
      { name: "x-token-b7kfd", annotations: { "kubernetes.io/service-account.name": "x" } },
      { type: "kubernetes.io/service-account-token" },
    ],
    ["volumesnapshots.snapshot.storage.k8s.io", { labels: { "drs.cloudera.com/job": "u" } }],
    ["configmaps", { deletionTimestamp: "2026-01-02T03:04:05Z" }],
  ];
  for (const [name, metadata, more] of left)
    expect([name, metadata, isSaved(name, metadata, more)]).toEqual([name, metadata, false]);
});

test("what looks like it, and is somebody's own, is saved", () => {
  const kept: readonly (readonly [string, object, object?])[] = [
    ["pods", {}],
    ["pods", ownedBy("Environment", false)],
    ["replicasets.apps", {}],
    ["replicasets.apps", ownedBy("Rollout")],
    ["controllerrevisions.apps", ownedBy("Operator")],
    // the older ones are nowhere else
    ["replicasets.apps", ownedBy("Deployment")],
    ["controllerrevisions.apps", ownedBy("StatefulSet")],
    ["controllerrevisions.apps", ownedBy("DaemonSet")],
    ["persistentvolumeclaims", ownedBy("StatefulSet", false)],
    ["persistentvolumeclaims", ownedBy("Environment")],
    ["jobs.batch", ownedBy("CronJob")],
    ["endpoints", {}],
    ["endpointslices.discovery.k8s.io", { labels: { "endpointslice.kubernetes.io/managed-by": "me" } }],
    ["configmaps", { name: "kube-root-ca.crt.old" }],
    ["secrets", {}, { type: "Opaque" }],
    [
      "secrets",
      { name: "x-token", annotations: { "kubernetes.io/service-account.name": "x" } },
      { type: "kubernetes.io/service-account-token" },
    ],
    [
      "secrets",
      { name: "x-token-build", annotations: { "kubernetes.io/service-account.name": "x" } },
      { type: "kubernetes.io/service-account-token" },
    ],
    ["volumesnapshots.snapshot.storage.k8s.io", {}],
    ["serviceaccounts", { name: "default" }],
  ];
  for (const [name, metadata, more] of kept)
    expect([name, metadata, isSaved(name, metadata, more)]).toEqual([name, metadata, true]);
});
