import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, type SmallControlPlane } from "../fidelity/support.ts";
import { FakeOperator } from "./fake-operator.ts";

const namespace = "faults-pod-security";
const deployments = "apps/v1/deployments";
const enforce = "pod-security.kubernetes.io/enforce";

const deployment = (name: string, spec: object) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: 1
  selector: { matchLabels: { app: ${name} } }
  template: { metadata: { labels: { app: ${name} } }, spec: ${JSON.stringify(spec)} }
`;
const containers = [{ name: "main", image: "main" }];

let plane: SmallControlPlane;

beforeAll(async () => {
  const manifests = `${deployment("agent", { hostNetwork: true, containers })}---${deployment("portal", { containers })}`;
  plane = await aControlPlane(namespace, manifests, {
    flags: ["--apps-start-timeout=20s", "--pods-stop-timeout=6s"],
  });
  await allAreUp();
});

afterAll(async () => plane?.remove());

const label = (level: string) =>
  plane.cluster.kubectl("label", "--overwrite", "namespace", namespace, `${enforce}${level}`);

const levelNow = () =>
  plane.cluster.kubectl(
    "get",
    "namespace",
    namespace,
    "-o",
    "jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}",
  );

async function allAreUp(): Promise<void> {
  for (const name of ["agent", "portal"])
    await plane.until(deployments, name, ({ status }) => status?.availableReplicas === 1);
}

test("what ran before Pod Security's label was set runs again under it when a restore rolls back", async () => {
  await plane.backUp();
  await label("=baseline");
  const operator = await FakeOperator.lookAfter(plane, deployments, "portal", "scaled");
  const restore = await plane.restore({ state: "FAILED" });
  await operator.stop();
  expect(restore.errors).toEqual([
    expect.stringContaining("workloads that were stopped have been started again for 6 s: "),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  expect(await levelNow()).toBe("baseline");
  await allAreUp();
});

test("a lost namespace whose label would refuse its pods comes back with both, and a warning names what it would refuse", async () => {
  await plane.backUp();
  await plane.cluster.kubectl("delete", "namespace", namespace);
  const { errors, warnings } = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect(errors).toEqual([]);
  expect(warnings).toEqual([
    expect.stringMatching(
      /Deployment agent runs, but its pods would be refused if .*enforce is baseline: violates PodSecurity "baseline:latest": host namespaces/,
    ),
  ]);
  expect(await levelNow()).toBe("baseline");
  await allAreUp();
});

test("what would be refused by a label that stays is said before anything is stopped", async () => {
  const uid = async () => (await plane.list("v1/pods")).map(({ metadata }) => String(metadata["uid"])).sort();
  const before = await uid();
  await plane.backUp();
  const { errors } = await plane.restore({ state: "FAILED" });
  expect(errors).toEqual([
    expect.stringMatching(/^existing objects would be lost, .*Deployment .*agent: .*violates PodSecurity "baseline/),
  ]);
  expect(await uid()).toEqual(before);
});
