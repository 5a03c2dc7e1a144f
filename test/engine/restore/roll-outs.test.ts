import { expect, test } from "vitest";
import type { KubernetesObject } from "../../../engine/kubernetes/kubernetes-object.ts";
import { mixedByHand } from "../../../engine/kinds/apps/roll-out-status.ts";
import { rollOutOf, templateOf } from "../../../engine/restore/objects/roll-outs.ts";

const type = (kind: string) => ({
  apiVersion: "apps/v1",
  kind,
  resource: `${kind.toLowerCase()}s`,
  namespaced: true,
});
const template = (image: string) => ({
  metadata: { labels: { app: "a" } },
  spec: { containers: [{ name: "main", image }] },
});
const workload = (spec: object, status: object): KubernetesObject => ({
  metadata: { name: "a", generation: 2 },
  spec: { template: template("v2"), ...spec },
  status: { observedGeneration: 2, ...status },
});
const replicaSet = (image: string, revision: string, availableReplicas: number) => ({
  type: type("ReplicaSet"),
  object: {
    metadata: { name: `a-${image}`, annotations: { "deployment.kubernetes.io/revision": revision } },
    spec: {
      template: { ...template(image), metadata: { labels: { app: "a", "pod-template-hash": image } } },
    },
    status: { availableReplicas },
  },
});
const controllerRevision = (image: string, revision: number) => ({
  type: type("ControllerRevision"),
  object: {
    metadata: { name: `a-${image}` },
    data: { spec: { template: { ...template(image), $patch: "replace" } } },
    revision,
  },
});

test("a deployment whose newest pods are not all up is started with the template that most of the others have", () => {
  const deployment = workload({ replicas: 3 }, { replicas: 4, updatedReplicas: 1, availableReplicas: 3 });
  const sets = [replicaSet("v0", "1", 1), replicaSet("v1", "2", 2), replicaSet("v2", "3", 0)];
  expect(rollOutOf(type("Deployment"), deployment, sets)).toMatchObject({
    older: template("v1"),
    olderUp: 3,
    updated: 1,
  });
});

test("a deployment of which nothing older is up, or all that is new, is started as it is", () => {
  const status = { replicas: 4, updatedReplicas: 3, availableReplicas: 3 };
  const deployment = workload({ replicas: 3 }, status);
  for (const [older, newest] of [
    [0, 2],
    [1, 3],
  ] as const) {
    const sets = [replicaSet("v1", "1", older), replicaSet("v2", "2", newest)];
    expect(rollOutOf(type("Deployment"), deployment, sets)).toBeUndefined();
  }
});

test("a stateful set is started with its current revision, or where no pod has that one, with the latest before the newest", () => {
  const spec = { replicas: 3 };
  const revisions = [controllerRevision("v0", 1), controllerRevision("v1", 2), controllerRevision("v2", 3)];
  const status = { replicas: 3, readyReplicas: 3, updatedReplicas: 1, currentRevision: "a-v0" };
  const current = workload(spec, { ...status, currentReplicas: 2 });
  expect(rollOutOf(type("StatefulSet"), current, revisions)).toMatchObject({ older: template("v0"), olderUp: 2 });
  const passed = workload(spec, { ...status, currentReplicas: 0 });
  expect(rollOutOf(type("StatefulSet"), passed, revisions)).toMatchObject({ older: template("v1"), updated: 1 });
});

test("what its controller had not seen yet has no new pods", () => {
  const status = { replicas: 3, readyReplicas: 3, updatedReplicas: 3, currentReplicas: 3, observedGeneration: 1 };
  const set = workload({ replicas: 3 }, { ...status, currentRevision: "a-v1" });
  expect(rollOutOf(type("StatefulSet"), set, [controllerRevision("v1", 1)])).toMatchObject({
    older: template("v1"),
    updated: 0,
  });
});

test("an archive without revisions has no older template", () => {
  const set = workload({ replicas: 3 }, { replicas: 3, readyReplicas: 3, updatedReplicas: 1 });
  expect(rollOutOf(type("StatefulSet"), set, [])).not.toHaveProperty("older");
});

test("a controller revision's template is no patch any more", () => {
  expect(templateOf(controllerRevision("v1", 1).object)).toEqual(template("v1"));
});

test("which pods have the newest template is said to be lost where somebody deletes them by hand, and only there", () => {
  const status = { currentNumberScheduled: 3, updatedNumberScheduled: 1, numberReady: 3 };
  const byHand = { updateStrategy: { type: "OnDelete" } };
  expect(mixedByHand(type("DaemonSet"), workload(byHand, status))).toContain("1 of 3 have its newest template");
  expect(mixedByHand(type("DaemonSet"), workload({}, status))).toBeUndefined();
  for (const updatedNumberScheduled of [0, 3])
    expect(mixedByHand(type("DaemonSet"), workload(byHand, { ...status, updatedNumberScheduled }))).toBeUndefined();
});
