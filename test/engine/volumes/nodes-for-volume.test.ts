import { expect, test } from "vitest";
import { nodesForVolume } from "../../../engine/volumes/nodes-for-volume.ts";

const zone = "topology.kubernetes.io/zone";

function node(name: string, where: string, spec: object = {}, ready = "True") {
  const status = { conditions: [{ type: "Ready", status: ready }] };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels: { [zone]: where } }, spec, status };
}

const nodes = [
  node("control", "a", { taints: [{ key: "control-plane", effect: "NoSchedule" }] }),
  node("cordoned", "a", { unschedulable: true }),
  node("dead", "b", {}, "Unknown"),
  node("one", "a"),
  node("other", "b"),
];
const drivers = (...names: string[]) => new Map(names.map((name) => [name, new Set(["disks"])]));
const everywhere = drivers(...nodes.map(({ metadata }) => metadata.name));

function formerVolume(operator: string, ...values: string[]) {
  const term = { matchExpressions: [{ key: zone, operator, values }] };
  const spec = { nodeAffinity: { required: { nodeSelectorTerms: [term] } } };
  return { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "former" }, spec };
}

function allowing(...values: string[]) {
  const allowedTopologies = [{ matchLabelExpressions: [{ key: zone, values }] }];
  return { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: "late" }, allowedTopologies };
}

function chosen(wish: Partial<Parameters<typeof nodesForVolume>[1]>, driversByNode = everywhere) {
  const anything = { driver: "disks", storageClass: undefined, formerVolume: undefined };
  return nodesForVolume({ nodes, driversByNode }, { ...anything, ...wish });
}

test("a volume is for a node that is ready and takes pods, rather without taints", () => {
  expect(chosen({})).toEqual(["one", "other", "control"]);
});

test("a volume is for a node on which its driver runs, where drivers run on nodes", () => {
  expect(chosen({}, drivers("other", "dead"))).toEqual(["other"]);
  expect(chosen({ driver: "network" })).toEqual(["one", "other", "control"]);
});

test("a volume is where the class allows it", () => {
  expect(chosen({ storageClass: allowing("b") })).toEqual(["other"]);
  expect(chosen({ storageClass: allowing("a", "c") })).toEqual(["one", "control"]);
  expect(chosen({ storageClass: allowing("c") })).toEqual([]);
});

test("a volume is where the former one could be used, and on another cluster anywhere", () => {
  expect(chosen({ formerVolume: formerVolume("In", "b") })).toEqual(["other"]);
  expect(chosen({ formerVolume: formerVolume("NotIn", "b") })).toEqual(["one", "control"]);
  expect(chosen({ formerVolume: formerVolume("In", "a"), storageClass: allowing("b") })).toEqual([]);
  expect(chosen({ formerVolume: formerVolume("In", "elsewhere") })).toEqual(["one", "other", "control"]);
});
