import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RestorePlan } from "../../../engine/model.ts";
import { eventually } from "../support/eventually.ts";
import { claimFolder } from "../support/volumes.ts";
import { EnginePlane } from "./engine-plane.ts";
import { container, store, web } from "./store-and-web.ts";

const main = "partial";
const vault = "partial-vault";
let plane: EnginePlane;
let backupCrn: string;

beforeAll(async () => {
  plane = await EnginePlane.open(main);
  await plane.create(main, store(), web, binding, other);
  await plane.create(vault, other);
  for (const name of ["web", "other"]) await plane.isUp(main, "deployments", name);
  await plane.isUp(main, "statefulsets", "store");
  await plane.isUp(vault, "deployments", "other");
  await writeFile(await fileOfStore(), "saved");
  backupCrn = await plane.backUp();
}, 180_000);

afterAll(async () => plane?.close());

test("of two namespaces one is restored, and the other one is untouched in every byte", async () => {
  await plane.patch(main, "v1", "configmaps", "web", { data: { level: "trace" } });
  await plane.patch(vault, "v1", "configmaps", "other", { data: { level: "trace" } });
  await plane.cluster.kubectl("--namespace", vault, "create", "configmap", "newer");
  const before = await plane.versionsOf(main);
  await restored({ selection: { what: "namespaces", namespaces: [vault] } });
  expect(await plane.versionsOf(main)).toEqual(before);
  expect((await plane.get(vault, "v1", "configmaps", "other"))["data"]).toEqual({ level: "info" });
  expect(await plane.names(vault, "v1", "configmaps")).not.toContain("newer");
});

test("single objects become as they were saved, their data too, with what they need; what is not selected is untouched", async () => {
  await writeFile(await fileOfStore(), "lost");
  await plane.patch(main, "apps/v1", "deployments", "web", {
    spec: { template: { metadata: { labels: { stray: "x" } } } },
  });
  await plane.isUp(main, "deployments", "web");
  await plane.cluster.kubectl("--namespace", main, "delete", "secret/web", "rolebinding/web");
  const before = await plane.versionsOf(main);
  await restored({
    selection: {
      what: "objects",
      objects: [
        { kind: "Deployment", namespace: main, name: "web" },
        { kind: "statefulsets.apps", namespace: main, name: "store" },
        { kind: "PersistentVolumeClaim", namespace: main, name: "data-store-0" },
      ],
    },
  });
  const made = /^(Pod|ReplicaSet) (web|store)\b/;
  expect((await plane.touched(main, before)).filter((name) => !made.test(name))).toEqual([
    "Deployment web",
    "PersistentVolumeClaim data-store-0",
    "RoleBinding web",
    "Secret web",
    "StatefulSet store",
  ]);
  expect(await readFile(await fileOfStore(), "utf8")).toBe("saved");
  const { spec } = await plane.get(main, "apps/v1", "deployments", "web");
  expect(spec.template.metadata.labels).toEqual({ app: "web" });
});

test("what is missing is added with what it needs; what is there is left as it is", async () => {
  await writeFile(await fileOfStore(), "newer");
  await plane.cluster.kubectl("--namespace", main, "delete", "deployment/web", "secret/web", "serviceaccount/web");
  await plane.patch(main, "v1", "configmaps", "web", { data: { level: "trace" } });
  await eventually(
    "the pods are gone",
    async () => !(await plane.versionsOf(main)).some((line) => line.startsWith("Pod web-")),
  );
  const before = await plane.versionsOf(main);
  await restored({
    mode: "add",
    selection: {
      what: "objects",
      objects: [
        { kind: "Deployment", namespace: main, name: "web" },
        { kind: "StatefulSet", namespace: main, name: "store" },
      ],
    },
  });
  const made = /^(Pod|ReplicaSet) web\b/;
  expect((await plane.touched(main, before)).filter((name) => !made.test(name))).toEqual([
    "Deployment web",
    "Secret web",
    "ServiceAccount web",
  ]);
  expect(await readFile(await fileOfStore(), "utf8")).toBe("newer");
});

async function restored(plan: Partial<RestorePlan>): Promise<void> {
  expect(await plane.restore(backupCrn, plan)).toMatchObject({ state: "COMPLETED", messages: [] });
}

async function fileOfStore(): Promise<string> {
  return join(await claimFolder(plane.cluster, main, "data-store-0"), "file");
}

const binding = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: web }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: web }
subjects: [{ kind: ServiceAccount, name: web, namespace: ${main} }]
`;

const other = `
apiVersion: v1
kind: ConfigMap
metadata: { name: other }
data: { level: info }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: other }
spec:
  selector: { matchLabels: { app: other } }
  template:
    metadata: { labels: { app: other } }
    spec: { ${container()} }
`;
