import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, type SmallControlPlane } from "./support.ts";

/** Nobody is there to take these finalizers away. */
const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: held, finalizers: [example.com/config] }
data: { a: b }
---
apiVersion: v1
kind: Service
metadata: { name: held, finalizers: [example.com/load-balancer] }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: held, finalizers: [example.com/claim] }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
`;
const held = {
  "v1/configmaps": "example.com/config",
  "v1/services": "example.com/load-balancer",
  "v1/persistentvolumeclaims": "example.com/claim",
};
let plane: SmallControlPlane;

beforeAll(async () => {
  plane = await aControlPlane("fidelity-finalizers", manifests, { flags: ["--finalizer-timeout=1s"] });
  await plane.until("v1/persistentvolumeclaims", "held", ({ status }) => status?.phase === "Bound");
  await plane.backUp();
});

afterAll(async () => {
  for (const kind of Object.keys(held))
    if (await plane?.find(kind, "held")) await plane.patch(kind, "held", { metadata: { finalizers: null } });
  await plane?.remove();
});

test("a finalizer whose controller is stopped holds the restore for a limited time, and is named", async () => {
  const started = Date.now();
  const { warnings, errors } = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect(Date.now() - started).toBeLessThan(25_000);
  expect(errors).toEqual([]);
  expect(warnings).toHaveLength(3);
  for (const [kind, finalizer] of Object.entries(held)) {
    expect(warnings.filter((text) => text.includes("held") && text.includes(finalizer))).toHaveLength(1);
    const { metadata } = await plane.get(kind, "held");
    expect(metadata["deletionTimestamp"]).toBeUndefined();
    expect(metadata.finalizers).toContain(finalizer);
  }
});
