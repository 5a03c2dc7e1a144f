import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, type SmallControlPlane } from "./support.ts";

const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: app }
spec:
  replicas: 3
  selector: { matchLabels: { app: app } }
  template:
    metadata: { labels: { app: app } }
    spec: { containers: [{ name: main, image: main, resources: { requests: { cpu: 5m } } }] }
---
apiVersion: v1
kind: Pod
metadata: { name: alone }
spec: { containers: [{ name: main, image: main, resources: { requests: { cpu: 5m } } }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: never }
spec: { maxUnavailable: 0, selector: { matchLabels: { app: app } } }
`;

/** Set when all was there: less than what is used, and nothing that runs would be let in again. */
const limits = `
apiVersion: v1
kind: ResourceQuota
metadata: { name: full }
spec: { hard: { pods: "2", count/configmaps: "1", persistentvolumeclaims: "0", requests.storage: "1" } }
---
apiVersion: v1
kind: LimitRange
metadata: { name: strict }
spec:
  limits:
    - type: Container
      min: { cpu: 100m }
      default: { memory: 64Mi }
      defaultRequest: { cpu: 100m, memory: 32Mi }
    - { type: Pod, min: { cpu: 100m } }
`;
let plane: SmallControlPlane;

beforeAll(async () => {
  plane = await aControlPlane("fidelity-quotas", manifests);
  await plane.until("apps/v1/deployments", "app", ({ status }) => status?.availableReplicas === 3);
  await plane.until("v1/pods", "alone", ({ status }) => status?.phase === "Running");
  await plane.until("v1/persistentvolumeclaims", "data", ({ status }) => status?.phase === "Bound");
  await plane.create(limits);
  await plane.until("v1/resourcequotas", "full", ({ status }) => status?.used?.pods === "4");
  await plane.backUp();
});

afterAll(async () => plane?.remove());

test("quotas and limits that are exceeded, and disruption budgets, stop no restore", async () => {
  const before = await Promise.all([spec("v1/resourcequotas", "full"), spec("v1/limitranges", "strict")]);
  const { warnings, errors } = await plane.restore({ state: "PARTIALLY_FAILED" });
  // The pod is older than the limit range, which gives it defaults as it is recreated.
  const changed =
    "Pod alone is not exactly as saved: the cluster changed metadata.annotations, spec.containers.0.resources";
  expect({ warnings, errors }).toEqual({ warnings: [expect.stringContaining(changed)], errors: [] });

  expect((await plane.get("apps/v1/deployments", "app"))["status"].availableReplicas).toBe(3);
  expect((await plane.get("v1/pods", "alone"))["spec"].containers[0].resources.requests.cpu).toBe("5m");
  expect(await Promise.all([spec("v1/resourcequotas", "full"), spec("v1/limitranges", "strict")])).toEqual(before);
  expect((await spec("policy/v1/poddisruptionbudgets", "never")).maxUnavailable).toBe(0);
});

test("the pods that a restore starts have the defaults of the limit range", async () => {
  const pods = (await plane.list("v1/pods")).filter(({ metadata }) => metadata.ownerReferences);
  expect(pods).toHaveLength(3);
  for (const { spec } of pods)
    expect(spec.containers[0].resources).toEqual({
      requests: { cpu: "5m", memory: "32Mi" },
      limits: { memory: "64Mi" },
    });
});

async function spec(kind: string, name: string) {
  return (await plane.get(kind, name))["spec"];
}
