import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, clusterPath, type SmallControlPlane } from "./support.ts";

const path = clusterPath("v1/namespaces", "spaces");
const marks = {
  labels: { "pod-security.kubernetes.io/enforce": "baseline", team: "platform" },
  annotations: { owner: "Zoë <zoe@example.com>" },
};

let plane: SmallControlPlane;

beforeAll(async () => {
  // The cluster itself waits for 5 s before it begins to delete a namespace.
  plane = await aControlPlane("spaces", manifests, { flags: ["--finalizer-timeout=10s"] });
  await plane.cluster.kubernetes.patch(path, { metadata: marks });
  await plane.backUp();
});

afterAll(async () => plane?.remove());

test("a namespace gets its labels, pod security above all, and annotations back, and loses what came since", async () => {
  const others = {
    labels: { "pod-security.kubernetes.io/enforce": "privileged", team: null, stray: "1" },
    annotations: { owner: null, stray: "1" },
  };
  await plane.cluster.kubernetes.patch(path, { metadata: others });
  await plane.restore();
  expect(await marksThere()).toEqual(marks);
});

test("a namespace whose deletion does not end fails the restore with what holds it, once the limit is over", async () => {
  await plane.patch("v1/configmaps", "settings", { metadata: { finalizers: ["example.com/hold"] } });
  await plane.kubectl("delete", "--wait=false", "namespace", "spaces");
  const { errors } = await plane.restore({ state: "FAILED" });
  expect(errors).toEqual([expect.stringContaining("namespace spaces is still being deleted after 10 s")]);
  expect(errors[0]).toContain("example.com/hold");
  expect(errors[0]).toContain("configmaps");
});

test("a namespace that is being deleted is waited for and recreated, with all that was in it", async () => {
  const restoring = plane.restore();
  await plane.patch("v1/configmaps", "settings", { metadata: { finalizers: null } });
  await restoring;
  expect(await marksThere()).toEqual(marks);
  expect((await plane.get("v1/configmaps", "settings"))["data"]).toEqual({ greeting: "hello" });
});

test("a namespace that its own finalizer holds is named with it, and comes back with it", async () => {
  const held = { metadata: { finalizers: ["example.com/release-quota"] } };
  await plane.cluster.kubernetes.patch(path, held);
  await plane.backUp();
  await plane.kubectl("delete", "--wait=false", "namespace", "spaces");
  const { errors } = await plane.restore({ state: "FAILED" });
  expect(errors).toEqual([
    "namespace spaces is still being deleted after 10 s: its own finalizers example.com/release-quota, to be removed by whatever set them",
  ]);
  await plane.cluster.kubernetes.patch(path, { metadata: { finalizers: null } });
  await plane.restore();
  const finalizersThere = async () => (await plane.cluster.kubernetes.get(path)).metadata["finalizers"];
  expect(await finalizersThere()).toEqual(held.metadata.finalizers);

  await plane.cluster.kubernetes.patch(path, { metadata: { finalizers: ["example.com/newer"] } });
  await plane.restore();
  expect(await finalizersThere()).toEqual(["example.com/newer", "example.com/release-quota"]);
  await plane.cluster.kubernetes.patch(path, { metadata: { finalizers: null } });
});

async function marksThere(): Promise<object> {
  const { labels: { "kubernetes.io/metadata.name": _name, ...labels } = {}, annotations } = (
    await plane.cluster.kubernetes.get(path)
  ).metadata;
  return { labels, annotations };
}

const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { greeting: hello }
`;
