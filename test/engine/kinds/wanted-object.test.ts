import { expect, test } from "vitest";
import type { ServedType } from "../../../engine/kinds/served-types.ts";
import { wantedObject } from "../../../engine/kinds/wanted-object.ts";

const type = (apiVersion: string, kind: string): ServedType => ({
  apiVersion,
  kind,
  resource: `${kind.toLowerCase()}s`,
  namespaced: true,
  hasStatus: true,
});
const archived = (spec: object, status?: object) => ({
  metadata: { name: "a", namespace: "cdp", uid: "1", resourceVersion: "2" },
  spec,
  ...(status && { status }),
});
const finished = { conditions: [{ type: "Complete", status: "True" }] };

test.each([
  ["a workload without replicas", type("apps/v1", "Deployment"), { replicas: 3 }, { replicas: 0 }],
  [
    "a deployment that was paused before it ran, paused",
    type("apps/v1", "Deployment"),
    { replicas: 3, paused: true },
    { replicas: 0, paused: true },
  ],
  ["a stateful set without replicas", type("apps/v1", "StatefulSet"), {}, { replicas: 0 }],
  ["a daemon set as it is", type("apps/v1", "DaemonSet"), { a: 1 }, { a: 1 }],
  [
    "a limit range with its defaults alone",
    type("v1", "LimitRange"),
    { limits: [{ type: "Pod", max: {} }] },
    { limits: [] },
  ],
])("what is made first is %s", (_, kind, spec, wanted) => {
  expect(wantedObject(kind, archived(spec))).toEqual({
    apiVersion: kind.apiVersion,
    metadata: { name: "a", namespace: "cdp" },
    spec: wanted,
  });
});

test("a deployment that was paused while it ran is made without the pause, in which it would get no pods", () => {
  const deployment = type("apps/v1", "Deployment");
  const wanted = wantedObject(deployment, archived({ replicas: 3, paused: true }, { replicas: 2 }));
  expect(wanted["spec"]).toEqual({ replicas: 0 });
});

test("a job that had finished is made suspended, another one as it is", () => {
  const job = type("batch/v1", "Job");
  expect(wantedObject(job, archived({ suspend: false }, finished))["spec"]).toEqual({ suspend: true });
  expect(wantedObject(job, archived({ suspend: false }))["spec"]).toEqual({ suspend: false });
});

test("what is made as started has its saved replica count, of which one is the default", () => {
  const deployment = type("apps/v1", "Deployment");
  const started = (spec: object) =>
    wantedObject(deployment, archived(spec, { replicas: 1 }), { started: true })["spec"];
  expect(started({ replicas: 3, paused: true })).toEqual({ replicas: 3 });
  expect(started({})).toEqual({ replicas: 1 });
  expect(started({ replicas: 0 })).toEqual({ replicas: 0 });
});

test("an object is made in the version that the cluster serves", () => {
  const wanted = wantedObject(type("autoscaling/v2", "HorizontalPodAutoscaler"), {
    ...archived({}),
    apiVersion: "autoscaling/v1",
  });
  expect(wanted.apiVersion).toBe("autoscaling/v2");
});
