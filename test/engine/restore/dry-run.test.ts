import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const apps = "/apis/apps/v1/namespaces/cdp";
const core = "/api/v1/namespaces/cdp";

const denied = (message: string, status = 403) => ({
  status,
  body: { kind: "Status", code: status, reason: "Forbidden", message },
});
const policy = (what: string) =>
  denied(`${what} is forbidden: ValidatingAdmissionPolicy 'house' with binding 'house' denied request: not here`, 422);

/** The dry runs of a restore, as `POST secrets`, and what comes of it when some of them are refused. */
async function restoreWith(
  scene: Scene,
  backupCrn: string,
  answer: (asked: { method: string; path: string; body: string }) => ReturnType<typeof denied> | undefined = () =>
    undefined,
) {
  const asked: string[] = [];
  scene.simulator.intercept(({ method, path, query, body }) => {
    if (!query.has("dryRun") && !body.includes('"dryRun":["All"]')) return undefined;
    asked.push(`${method} ${path}`);
    return answer({ method, path, body });
  });
  const restore = await scene.restore(backupCrn);
  scene.simulator.intercept(undefined);
  return { ...restore, asked, log: scene.engine.getLogs(restore.crn), errors: texts(restore.errors) };
}

async function expectUntouched(scene: Scene, before: readonly string[], log: string): Promise<void> {
  expect(log).toContain("nothing in the namespaces was touched");
  expect(await scene.versions()).toEqual(before);
}

test("what a restore would make or change is tried, secrets too, and what is as it was saved is not", async () => {
  const scene = await Scene.open();
  const { crn } = await scene.backup();
  const [changed = "", removed = ""] = await scene.names(`${core}/secrets`);
  await scene.change(`${core}/secrets/${changed}`, { data: { more: "YQ==" } });
  await scene.remove(`${core}/secrets/${removed}`);
  const { asked, log, errors } = await restoreWith(scene, crn);
  expect(errors).toEqual([]);
  // The change twice: there, and back to what is there now.
  expect([...new Set(asked.filter((it) => it.includes("/secrets")))].toSorted()).toEqual([
    `POST ${core}/secrets`,
    `PUT ${core}/secrets/${changed}`,
  ]);
  expect(asked.filter((it) => it.includes("/configmaps"))).toEqual([]);
  expect(log).toMatch(/the API server would take all of \d+ objects; \d+ more are as they were saved/);
});

test("one object that would be refused does not hold up the rest; more than may be refused do, and are named", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 1 });
  for (const name of ["one", "two"]) await scene.create(`${core}/configmaps`, { metadata: { name } });
  const { crn } = await scene.backup();
  for (const name of ["one", "two"]) await scene.remove(`${core}/configmaps/${name}`);
  const before = await scene.versions();
  const both = await restoreWith(scene, crn, ({ path }) =>
    path.endsWith("/configmaps") ? policy("configmaps") : undefined,
  );
  expect(both.errors).toEqual([
    expect.stringMatching(
      /^the API server would refuse objects of this backup, 2 of them, where --max-refused-objects allows 1: ConfigMap cdp\/one: POST .*not here; ConfigMap cdp\/two: /,
    ),
  ]);
  await expectUntouched(scene, before, both.log);

  const one = await restoreWith(scene, crn, ({ path, body }) =>
    path.endsWith("/configmaps") && body.includes('"two"') ? policy("configmaps") : undefined,
  );
  expect(one.errors).toEqual([]); // it was let in after all
  expect(one.log).toMatch(/would refuse 1 of \d+ objects, and the restore goes on without them.*ConfigMap cdp\/two: /);
});

test("nothing is touched where a pod of what runs would be refused, and the workload is named", async () => {
  const scene = await Scene.open();
  const { crn } = await scene.backup();
  const before = await scene.versions();
  const { errors, log } = await restoreWith(scene, crn, ({ path, body }) =>
    path === `${core}/pods` && body.includes('"cdp-api-"')
      ? denied('pods "cdp-api-x" is forbidden: violates PodSecurity "restricted:latest": host namespaces')
      : undefined,
  );
  expect(errors).toEqual([
    expect.stringMatching(
      /^existing objects would be lost, .*: Deployment cdp\/cdp-api: POST .*violates PodSecurity "restricted:latest": host namespaces; allow it/,
    ),
  ]);
  await expectUntouched(scene, before, log);
});

test("nothing is touched where what runs may not be stopped, deleted and recreated, or scaled up again", async () => {
  const scene = await Scene.open();
  const spec = { containers: [{ name: "c", image: "i" }] };
  await scene.create(`${core}/pods`, { metadata: { name: "alone" }, spec });
  const { crn } = await scene.backup();
  await scene.create(`${core}/configmaps`, { metadata: { name: "newer" } });
  await scene.simulator.settled();
  const before = await scene.versions();
  const deployment = `${apps}/deployments/cdp-api`;
  for (const [method, path, part, words] of [
    ["PATCH", deployment, '"replicas":0', /^Deployment cdp\/cdp-api cannot be stopped: PATCH .*not here; allow that/],
    [
      "PATCH",
      deployment,
      '"replicas":3',
      /^existing objects would be lost, .*: Deployment cdp\/cdp-api: PATCH .*not here/,
    ],
    ["DELETE", `${core}/pods/alone`, "", /^Pod cdp\/alone cannot be stopped: DELETE .*not here/],
    ["POST", `${core}/pods`, '"alone"', /^existing objects would be lost, .*: Pod cdp\/alone: POST .*not here/],
    [
      "POST",
      `${core}/persistentvolumeclaims`,
      "",
      /^existing objects would be lost, .*: PersistentVolumeClaim cdp\/\S+: /,
    ],
  ] as const) {
    const { errors, log } = await restoreWith(scene, crn, (it) =>
      it.method === method && it.path === path && it.body.includes(part) ? policy("this") : undefined,
    );
    expect(errors).toEqual([expect.stringMatching(words)]);
    await expectUntouched(scene, before, log);
  }
});

test("what a restore changes or deletes and could not put back as it is now is reported before, and stops nothing", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const { crn } = await scene.backup();
  const [changed = ""] = await scene.names(`${core}/secrets`);
  await scene.change(`${core}/secrets/${changed}`, { data: { more: "YQ==" } });
  await scene.create(`${core}/configmaps`, { metadata: { name: "newer" } });
  const { errors, log } = await restoreWith(scene, crn, ({ method, path, body }) =>
    (method === "POST" && path.endsWith("/configmaps")) || (method === "PUT" && body.includes('"more"'))
      ? policy("this")
      : undefined,
  );
  expect(errors).toEqual([]);
  const told =
    /if the restore fails, the cluster would not take back objects it changes or deletes: (.*); the safety archive/;
  const [, names = ""] = told.exec(log) ?? [];
  expect(names).toContain(`Secret cdp/${changed}: PUT`);
  expect(names).toContain("ConfigMap cdp/newer: POST");
});

test("a workload that may not be without replicas is tried with its own, as it will be made", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const { crn } = await scene.backup();
  await scene.remove(`${apps}/deployments/cdp-api`);
  const { log } = await restoreWith(scene, crn, ({ method, path, body }) =>
    method === "POST" && path === `${apps}/deployments` && body.includes('"replicas":0')
      ? policy("deployments.apps")
      : undefined,
  );
  expect(log).toContain("the API server would take all of");
});

test("what the restore itself takes away, or brings, is held against nothing", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const name = "guard.cdp.example";
  await scene.create("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {
    metadata: { name },
    webhooks: [{ name, clientConfig: { service: { namespace: "cdp", name: "guard" } } }],
  });
  const { crn } = await scene.backup();
  const refusals = [
    denied(`admission webhook "${name}" denied the request: not now`),
    denied('serviceaccount "cdp-api" not found: error looking up service account cdp/cdp-api'),
    denied('pods "x" is forbidden: exceeded quota: full, requested: pods=1, used: pods=2, limited: pods=2'),
    denied('pods "x" is forbidden: minimum cpu usage per Container is 100m, but request is 5m'),
  ];
  for (const refusal of refusals) {
    const dryRuns = await restoreWith(scene, crn, ({ method, path }) =>
      method === "POST" && path === `${core}/pods` ? refusal : undefined,
    );
    expect(dryRuns.log).toContain("STOPPING_APPS phase started");
  }
});
