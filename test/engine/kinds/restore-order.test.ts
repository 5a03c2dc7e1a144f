import { expect, test } from "vitest";
import { kindsThat } from "../../../engine/kinds/kinds.ts";
import { resourceName } from "../../../engine/kubernetes/kubernetes-object.ts";
import {
  admissionPolicies,
  clusterScopedOrder,
  deletionWaves,
  quotas,
  restoreWaves,
  startedByCreation,
  userSnapshots,
} from "../../../engine/kinds/restore-order.ts";

const type = (name: string, namespaced = true) => {
  const [resource = "", ...group] = name.split(".");
  const apiVersion = group.length === 0 ? "v1" : `${group.join(".")}/v1`;
  return { apiVersion, kind: resource, resource, namespaced };
};
const callsIn = kindsThat(({ wave }) => wave === "calls");
const clusterScoped = ["namespaces", "persistentvolumes", ...clusterScopedOrder, ...callsIn, ...admissionPolicies];
/** The waves, each by its names in order. */
const expected = [
  ["configmaps", "limitranges", "podtemplates", "serviceaccounts"],
  ["secrets"],
  ["roles.rbac.authorization.k8s.io"],
  ["endpoints", "endpointslices.discovery.k8s.io", "rolebindings.rbac.authorization.k8s.io"],
  ["networkpolicies.networking.k8s.io", "services"],
  ["ingresses.networking.k8s.io", "widgets.example.com"],
  ["controllerrevisions.apps", "replicasets.apps"],
  ["deployments.apps", "replicationcontrollers", "statefulsets.apps"],
  ["horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy"],
];
const elsewhere = [...startedByCreation, ...quotas, ...userSnapshots, "persistentvolumeclaims"];
const types = [
  ...[...expected.flat(), ...elsewhere].toReversed().map((name) => type(name)),
  ...clusterScoped.map((name) => type(name, false)),
];
const names = (waves: readonly (readonly ReturnType<typeof type>[])[]) =>
  waves.map((wave) => wave.map(resourceName).sort());

test("what others need is restored before them, custom resources in the middle", () => {
  expect(names(restoreWaves(types))).toEqual(expected);
});

test("what runs is deleted first, then quotas, and the rest in the reverse order of restoring", () => {
  expect(names(deletionWaves(types))).toEqual([[...startedByCreation].sort(), quotas, ...expected.toReversed()]);
});

test("no kind is lost: each is in one wave, or has a place of its own", () => {
  const inWaves = names(restoreWaves(types)).flat();
  expect(new Set(inWaves).size).toBe(inWaves.length);
  expect([...inWaves, ...elsewhere, ...clusterScoped].sort()).toEqual(types.map(resourceName).sort());
});

test("kinds that are not there make no waves", () => {
  expect(names(restoreWaves([type("secrets")]))).toEqual([["secrets"]]);
  expect(names(deletionWaves([type("pods"), type("persistentvolumeclaims")]))).toEqual([["pods"]]);
});
