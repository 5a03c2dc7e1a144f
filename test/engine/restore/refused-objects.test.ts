import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import type { Picture } from "../../../demo/picture.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const deployments = "/apis/apps/v1/namespaces/cdp/deployments";
const daemonSets = "/apis/apps/v1/namespaces/cdp/daemonsets";
const rolledBack = "the restore failed and was rolled back: the control plane is as before";
/** Claims that are given a volume have no note of a provisioner. */
const left = (before: Picture, after: Picture) =>
  differences(before, after).filter((line) => !/^PersistentVolumeClaim \S+: metadata.annotations differs$/.test(line));

/** Restores while the cluster refuses to make objects of some collections, from RESTORING_OBJECTS on until it rolls back. */
async function refusing(scene: Scene, backupCrn: string, collections: RegExp, status: number, message: string) {
  let crn = "";
  scene.simulator.intercept(({ method, path, query }) => {
    if (method !== "POST" || query.has("dryRun") || crn === "" || !collections.test(path)) return undefined;
    const log = scene.engine.getLogs(crn);
    if (!log.includes("RESTORING_OBJECTS phase started") || log.includes("rolling back")) return undefined;
    return { status, body: { kind: "Status", code: status, message } };
  });
  crn = await scene.startRestore(backupCrn);
  return scene.restored(crn);
}

test("a restore of which the cluster refuses nearly everything rolls back, and names the webhook that does not answer", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await scene.lose("/api/v1/namespaces/cdp/configmaps", "/api/v1/namespaces/cdp/services", deployments, daemonSets);
  const before = await scene.picture();
  const volumes = scene.simulator.volumes.volumeHandles();
  const silent =
    'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call webhook: connection refused';
  const collections = /\/(?!persistentvolumeclaims|volumesnapshots|selfsubject)[a-z]+$/;
  const restore = await refusing(scene, backup.crn, collections, 500, silent);
  expect(restore.state).toBe("FAILED");
  expect(texts(restore.errors).at(-1)).toBe(rolledBack);
  expect(texts(restore.errors).at(-2)).toMatch(
    /^the cluster refuses \d\d objects, more than a restore may leave out \(--max-refused-objects 5\): nobody answers for webhook validate.kyverno.svc-fail$/,
  );
  expect(restore.errors.length).toBeLessThan(5 + 16 + 2);
  expect(left(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(volumes);
});

const policy = "not by the policy of this cluster";

test("where no object may be refused, a restore rolls back for a single one and says why", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  await scene.lose(daemonSets);
  const before = await scene.picture();
  const restore = await refusing(scene, backup.crn, /\/namespaces\/cdp\/daemonsets$/, 403, policy);
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(`^cdp: DaemonSet cdp-log-agent was not restored: .*${policy}`),
    "the cluster refuses 1 objects, more than a restore may leave out (--max-refused-objects 0): the errors before this one name them",
    rolledBack,
  ]);
  expect(left(before, await scene.picture())).toEqual([]);
});

test("applications that do not come up after the cluster has refused objects are reported with these", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 1 }, controllerDelay: 50 });
  const backup = await scene.backup();
  await scene.lose("/api/v1/namespaces/cdp/configmaps");
  const { errors } = await refusing(scene, backup.crn, /\/namespaces\/cdp\/configmaps$/, 403, policy);
  expect(texts(errors)[0]).toEqual(
    expect.stringMatching(
      `did not come up within .*; the cluster had refused \\d+ objects before: ConfigMap cdp/.*: .*${policy}`,
    ),
  );
});

test("what may not be changed once it is there is an error that names it, and the rest runs", async () => {
  const scene = await Scene.open();
  const { metadata, ...owner } = await scene.get("/apis/platform.cdp.example/v1/namespaces/cdp/environments/staging");
  const { apiVersion, kind } = owner;
  const ownerReferences = [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }];
  await scene.create("/api/v1/namespaces/cdp/configmaps", { metadata: { name: "owned", ownerReferences } });
  const limits = { limits: [{ type: "Container", max: { cpu: "2" } }] };
  await scene.create("/api/v1/namespaces/cdp/limitranges", { metadata: { name: "limits" }, spec: limits });
  const backup = await scene.backup();
  await scene.change("/api/v1/namespaces/cdp/configmaps/owned", { metadata: { ownerReferences: null } });
  let crn = "";
  scene.simulator.intercept(({ method, path }) =>
    (method === "PATCH" || (method === "PUT" && path.includes("limitranges"))) &&
    /\/(configmaps\/owned|limitranges\/limits|deployments\/cdp-api)$/.test(path) &&
    scene.engine
      .getLogs(crn)
      .includes(path.includes("limitranges") ? "the applications: " : "RESTORING_OBJECTS phase started")
      ? { status: 403, body: { kind: "Status", code: 403, message: policy } }
      : undefined,
  );
  crn = await scene.startRestore(backup.crn);
  const { errors } = await scene.restored(crn);
  expect(texts(errors).toSorted()).toEqual([
    expect.stringMatching(`^Deployment cdp/cdp-api was not started: PATCH .*${policy}$`),
    expect.stringMatching(`^cdp: ConfigMap owned does not have all of its owners: PATCH .*${policy}$`),
    expect.stringMatching(`^cdp: LimitRange limits is not as saved, and stays as it is: PUT .*${policy}$`),
    expect.stringMatching("^not everything was restored. The objects that were there before are in .*safety/"),
  ]);
  expect(scene.engine.getLogs(crn)).not.toContain("rolling back");
  expect(await scene.get("/apis/apps/v1/namespaces/cdp/deployments/cdp-console")).toMatchObject({
    status: { readyReplicas: 2 },
  });
});

test("what may not be stopped fails the restore before anything is deleted, and is named with the cluster's words", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const before = await scene.picture();
  let isRefused = false;
  scene.simulator.intercept(({ method, path, query }) => {
    if (isRefused || method !== "PATCH" || !path.endsWith("/deployments/cdp-api") || query.has("dryRun"))
      return undefined;
    isRefused = true;
    return { status: 403, body: { kind: "Status", code: 403, message: policy } };
  });
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(`^Deployment cdp/cdp-api cannot be stopped: PATCH .*${policy}; allow that`),
    rolledBack,
  ]);
  expect(scene.engine.getLogs(restore.crn)).not.toContain("DELETING_OBJECTS phase started");
  expect(left(before, await scene.picture())).toEqual([]);
});
