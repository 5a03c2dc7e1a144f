import { expect, test } from "vitest";
import { digestOf } from "../../../engine/restore/compare/comparison.ts";

const type = (apiVersion: string, kind: string, resource: string) => ({
  apiVersion,
  kind,
  resource,
  namespaced: true,
  hasStatus: true,
});
const kinds = {
  configMap: type("v1", "ConfigMap", "configmaps"),
  deployment: type("apps/v1", "Deployment", "deployments"),
  daemonSet: type("apps/v1", "DaemonSet", "daemonsets"),
  secret: type("v1", "Secret", "secrets"),
  job: type("batch/v1", "Job", "jobs"),
  pod: type("v1", "Pod", "pods"),
  widget: type("example.com/v1", "Widget", "widgets"),
};
const meta = { name: "a", namespace: "cdp" };
const owner = (uid: string, name = "o") => ({ apiVersion: "example.com/v1", kind: "Widget", name, uid });
const complete = { conditions: [{ type: "Complete", status: "True" }] };
const revision = (text: string) => ({ ...meta, annotations: { "deployment.kubernetes.io/revision": text } });

test.each([
  ["what the server sets", kinds.configMap, { metadata: { ...meta, uid: "1" } }, { metadata: { ...meta, uid: "2" } }],
  ["the status", kinds.widget, { metadata: meta, status: { a: 1 } }, { metadata: meta, status: { a: 2 } }],
  [
    "the uid of an owner, and the version that names it",
    kinds.configMap,
    { metadata: { ...meta, ownerReferences: [owner("1")] } },
    { metadata: { ...meta, ownerReferences: [{ ...owner("2"), apiVersion: "example.com/v2" }] } },
  ],
  ["replicas", kinds.deployment, { metadata: meta, spec: { replicas: 3 } }, { metadata: meta, spec: { replicas: 0 } }],
  [
    "a roll-out's number",
    kinds.deployment,
    { metadata: revision("1"), spec: {} },
    { metadata: revision("2"), spec: {} },
  ],
  [
    "a daemon set's generation",
    kinds.daemonSet,
    { metadata: { ...meta, annotations: { "deprecated.daemonset.template.generation": "1" } }, spec: {} },
    { metadata: { ...meta, annotations: { "deprecated.daemonset.template.generation": "3" } }, spec: {} },
  ],
  [
    "what the cluster fills into a token",
    kinds.secret,
    { metadata: meta, type: "kubernetes.io/service-account-token", data: { token: "YQ==" } },
    { metadata: meta, type: "kubernetes.io/service-account-token" },
  ],
  ["no labels", kinds.configMap, { metadata: { ...meta, labels: {} } }, { metadata: meta }],
  [
    "what a finished job counts",
    kinds.job,
    { metadata: meta, spec: {}, status: { ...complete, succeeded: 1 } },
    { metadata: meta, spec: { suspend: false }, status: { ...complete, succeeded: 2 } },
  ],
  [
    "the suspension of a job that has not finished",
    kinds.job,
    { metadata: meta, spec: {}, status: {} },
    { metadata: meta, spec: { suspend: true }, status: {} },
  ],
])("%s makes no difference", (_what, kind, one, other) => {
  expect(digestOf(kind, one)).toBe(digestOf(kind, other));
});

test.each([
  ["data", kinds.configMap, { metadata: meta, data: { a: "1" } }, { metadata: meta, data: { a: "2" } }],
  ["a label", kinds.configMap, { metadata: { ...meta, labels: { a: "1" } } }, { metadata: meta }],
  ["a finalizer", kinds.configMap, { metadata: { ...meta, finalizers: ["example.com/a"] } }, { metadata: meta }],
  ["an owner", kinds.configMap, { metadata: { ...meta, ownerReferences: [owner("1")] } }, { metadata: meta }],
  ["a pause", kinds.deployment, { metadata: meta, spec: { paused: true } }, { metadata: meta, spec: {} }],
  [
    "the progress of a job that has not finished",
    kinds.job,
    { metadata: meta, spec: {}, status: { succeeded: 1 } },
    { metadata: meta, spec: {}, status: { succeeded: 2 } },
  ],
  ["a job's end", kinds.job, { metadata: meta, spec: {}, status: complete }, { metadata: meta, spec: {}, status: {} }],
  [
    "the suspension of a finished job",
    kinds.job,
    { metadata: meta, spec: {}, status: complete },
    { metadata: meta, spec: { suspend: true }, status: complete },
  ],
  [
    "a pod's end",
    kinds.pod,
    { metadata: meta, spec: {}, status: { phase: "Succeeded" } },
    { metadata: meta, spec: {}, status: { phase: "Running" } },
  ],
])("%s makes a difference", (_what, kind, one, other) => {
  expect(digestOf(kind, one)).not.toBe(digestOf(kind, other));
});
