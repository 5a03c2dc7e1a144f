import { expect, test } from "vitest";
import { isReady, isUp, savedReadiness } from "../../../engine/kinds/readiness.ts";

const deployments = { apiVersion: "apps/v1", resource: "deployments" };
const statefulSets = { apiVersion: "apps/v1", resource: "statefulsets" };
const daemonSets = { apiVersion: "apps/v1", resource: "daemonsets" };
const claims = { apiVersion: "v1", resource: "persistentvolumeclaims" };
const object = (spec: object, status: object) => ({
  metadata: { name: "a", generation: 1 },
  spec,
  status: { observedGeneration: 1, ...status },
});

test.each([
  ["all of a deployment", deployments, object({ replicas: 3 }, { availableReplicas: 3 }), 3],
  ["a part of a deployment", deployments, object({ replicas: 3 }, { availableReplicas: 2 }), 2],
  ["no more than its replicas", deployments, object({ replicas: 3 }, { availableReplicas: 4 }), 3],
  ["one that has no replicas", deployments, object({ replicas: 0 }, {}), 0],
  ["nothing of one that was down", deployments, object({ replicas: 3 }, {}), undefined],
  ["a part of a stateful set", statefulSets, object({ replicas: 3 }, { readyReplicas: 1 }), 1],
  ["a part of a daemon set", daemonSets, object({}, { desiredNumberScheduled: 5, numberReady: 4 }), 4],
  ["a daemon set without nodes", daemonSets, object({}, { desiredNumberScheduled: 0, numberReady: 0 }), 0],
  ["nothing of a daemon set that nobody has seen", daemonSets, object({}, {}), undefined],
  ["a claim that is bound", claims, { metadata: { name: "a" }, status: { phase: "Bound" } }, 1],
  ["no claim that is not", claims, { metadata: { name: "a" }, status: { phase: "Pending" } }, undefined],
])("waited for is %s", (_what, type, archived, count) => {
  expect(savedReadiness(type, archived)).toBe(count);
});

test("what was partly up is up when as much of it is", () => {
  expect(isUp(deployments, object({ replicas: 3 }, { availableReplicas: 1 }), 2)).toBe(false);
  expect(isUp(deployments, object({ replicas: 3 }, { availableReplicas: 2 }), 2)).toBe(true);
  expect(isReady(deployments, object({ replicas: 3 }, { availableReplicas: 2 }))).toBe(false);
});

test("what its controller has not seen yet is not up", () => {
  const unseen = { ...object({ replicas: 0 }, { observedGeneration: 0 }) };
  expect(isUp(deployments, unseen, 0)).toBe(false);
  expect(isUp(daemonSets, { metadata: { name: "a" }, spec: {} }, 0)).toBe(false);
});

test("what has fewer replicas or nodes now need not have more pods", () => {
  expect(isUp(deployments, object({ replicas: 1 }, { availableReplicas: 1 }), 3)).toBe(true);
  expect(isUp(daemonSets, object({}, { desiredNumberScheduled: 1, numberReady: 1 }), 3)).toBe(true);
});

test("pods that are on their way out do not count", () => {
  expect(isUp(statefulSets, object({ replicas: 2 }, { readyReplicas: 2 }), 2, 1)).toBe(false);
});
