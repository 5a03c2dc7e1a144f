import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import type { Picture } from "../../../demo/picture.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const wentBack = "the restore failed: the control plane is as it was before it";
/** Claims that are given a volume have no note of a provisioner. */
const left = (before: Picture, after: Picture) =>
  differences(before, after).filter((line) => !/^PersistentVolumeClaim \S+: metadata.annotations differs$/.test(line));

/** Restores while the cluster refuses to make objects of some collections, from RESTORING_OBJECTS on until it goes back. */
async function refusing(scene: Scene, backupCrn: string, collections: RegExp, status: number, message: string) {
  let crn = "";
  scene.simulator.intercept(({ method, path, query }) => {
    if (method !== "POST" || query.has("dryRun") || crn === "" || !collections.test(path)) return undefined;
    const log = scene.engine.getLogs(crn);
    if (!log.includes("RESTORING_OBJECTS phase started") || log.includes("going back")) return undefined;
    return { status, body: { kind: "Status", code: status, message } };
  });
  crn = await scene.startRestore(backupCrn);
  return scene.restored(crn);
}

test("a restore of which the cluster refuses nearly everything goes back, and names the webhook that does not answer", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const before = await scene.picture();
  const volumes = scene.simulator.volumes.volumeHandles();
  const silent =
    'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call webhook: connection refused';
  const collections = /\/(?!persistentvolumeclaims|volumesnapshots|selfsubject)[a-z]+$/;
  const restore = await refusing(scene, backup.crn, collections, 500, silent);
  expect(restore.state).toBe("FAILED");
  expect(texts(restore.errors).at(-1)).toBe(wentBack);
  expect(texts(restore.errors).at(-2)).toMatch(
    /^the cluster refuses \d\d objects, more than a restore may be without \(--max-refused-objects 5\): nobody answers for webhook validate.kyverno.svc-fail$/,
  );
  expect(restore.errors.length).toBeLessThan(5 + 16 + 2);
  expect(left(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(volumes);
});

test("a restore whose namespace somebody deletes goes back", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const before = await scene.picture();
  let crn = "";
  let isDeleted: Promise<unknown> | undefined;
  scene.simulator.intercept(({ method, path, query }) => {
    const isService = method === "POST" && path === "/api/v1/namespaces/cdp/services" && !query.has("dryRun");
    if (!isService || isDeleted !== undefined) return undefined;
    isDeleted = scene.remove("/api/v1/namespaces/cdp");
    return { status: 503 };
  });
  crn = await scene.startRestore(backup.crn);
  const { errors } = await scene.restored(crn);
  expect(isDeleted).toBeDefined();
  expect(texts(errors).at(-1)).toBe(wentBack);
  expect(left(before, await scene.picture())).toEqual([]);
});

const policy = "not by the policy of this cluster";

test("where no object may be refused, a restore goes back for a single one and says what it was told", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  const before = await scene.picture();
  const restore = await refusing(scene, backup.crn, /\/namespaces\/cdp\/daemonsets$/, 403, policy);
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(`^cdp: DaemonSet cdp-log-agent was not restored: .*${policy}`),
    expect.stringMatching(
      `^the cluster refuses 1 objects, .*--max-refused-objects 0.*: DaemonSet cdp-log-agent .*${policy}`,
    ),
    wentBack,
  ]);
  expect(left(before, await scene.picture())).toEqual([]);
});

test("applications that do not come up after the cluster has refused objects are told with these", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 1 }, controllerDelay: 50 });
  const backup = await scene.backup();
  const { errors } = await refusing(scene, backup.crn, /\/namespaces\/cdp\/serviceaccounts$/, 403, policy);
  expect(texts(errors)[0]).toEqual(
    expect.stringMatching(
      `did not come up within .*; the cluster had refused 4 objects before: ServiceAccount cdp/cdp-api: .*${policy}`,
    ),
  );
});
