import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const configMaps = "/api/v1/namespaces/cdp/configmaps";
const secrets = "/api/v1/namespaces/cdp/secrets";
const environments = "/apis/platform.cdp.example/v1/namespaces/cdp/environments";
const daemonSets = "/apis/apps/v1/namespaces/cdp/daemonsets";
const policy = { status: 403, body: { kind: "Status", code: 403, reason: "Forbidden", message: "not by our policy" } };

/** Those a restore has not even touched. */
const untouched = (before: readonly string[], after: readonly string[]) =>
  before.filter((version) => after.includes(version)).map((version) => version.split(" ").slice(0, 2).join(" "));

test("what is as it was saved is not touched, and what differs keeps its uid", async () => {
  const scene = await Scene.open();
  const kinds = ["ConfigMap", "Secret", "Service", "ServiceAccount", "Role", "RoleBinding", "Environment"];
  const backup = await scene.backup();
  const names = await scene.names(configMaps);
  const [changed = ""] = names.filter((name) => name !== "kube-root-ca.crt");
  const { metadata, ...saved } = await scene.get(`${configMaps}/${changed}`);
  await scene.change(`${configMaps}/${changed}`, { data: { stray: "x" } });
  const before = await scene.versions();
  const restore = await scene.restore(backup.crn);
  expect(restore).toMatchObject({ state: "COMPLETED", warnings: [], errors: [] });
  const of = (versions: readonly string[]) => versions.filter((line) => kinds.includes(line.split(" ")[0] ?? ""));
  const left = untouched(of(before), of(await scene.versions()));
  expect(left).toHaveLength(of(before).length - 1);
  expect(left).not.toContain(`ConfigMap cdp/${changed}`);
  const now = await scene.get(`${configMaps}/${changed}`);
  expect(now.metadata.uid).toBe(metadata.uid);
  expect(now["data"]).toEqual(saved["data"]);
});

test("only what the backup does not have is deleted, and two kinds that finalizers hold are waited for together", async () => {
  const scene = await Scene.open({ limits: { finalizerTimeout: 2_500 } });
  const backup = await scene.backup();
  const before = await scene.picture();
  const held = { name: "later", finalizers: ["example.com/never-removed"] };
  await scene.create(configMaps, { metadata: held });
  const { apiVersion, kind, ...staging } = await scene.get(`${environments}/staging`);
  await scene.create(environments, { apiVersion, kind, metadata: held, spec: staging["spec"] });
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings).toSorted()).toEqual([
    expect.stringContaining("cdp: ConfigMap later was held by example.com/never-removed for 2.5 s"),
    expect.stringContaining("cdp: Environment later was held by example.com/never-removed for 2.5 s"),
  ]);
  const log = scene.engine.getLogs(restore.crn);
  const [waits, removals] = [/are still in cdp, such as later/g, /later was held by/g].map((line) =>
    [...log.matchAll(line)].map(({ index }) => index),
  );
  expect(Math.max(...(waits ?? []))).toBeLessThan(Math.min(...(removals ?? [])));
  expect(log.match(/deleted \d+ \S+ of cdp, each of which is not in the backup: .*/g)).toHaveLength(2);
  expect(differences(before, await scene.picture())).toEqual([]);
});

test("what somebody was deleting before is left to those who hold it", async () => {
  const scene = await Scene.open();
  await scene.create(configMaps, { metadata: { name: "going", finalizers: ["example.com/hold"] } });
  await scene.remove(`${configMaps}/going`);
  const backup = await scene.backup();
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect((await scene.get(`${configMaps}/going`)).metadata["finalizers"]).toEqual(["example.com/hold"]);
  expect(scene.engine.getLogs(restore.crn)).toContain("ConfigMap cdp/going was already being deleted");
});

test("a live object that cannot be made as it was saved stays as it is, and is named", async () => {
  const scene = await Scene.open();
  await scene.create(secrets, { metadata: { name: "live" }, immutable: true, stringData: { a: "saved" } });
  const backup = await scene.backup();
  await scene.remove(`${secrets}/live`);
  const now = await scene.create(secrets, { metadata: { name: "live" }, immutable: true, stringData: { a: "now" } });
  let isDeleted = false;
  scene.simulator.intercept(({ method, path }) => {
    isDeleted ||= method === "DELETE" && path === `${secrets}/live`;
    return ["POST", "PUT"].includes(method) && path.startsWith(secrets) ? policy : undefined;
  });
  const restore = await scene.restore(backup.crn);
  expect(restore.state).toBe("FAILED");
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(/^cdp: Secret live is not as saved, and stays as it is: PUT/),
    expect.stringMatching(/^not everything was restored\. The objects that were there before are in .* under safety\//),
  ]);
  expect(isDeleted).toBe(false);
  expect(await scene.get(`${secrets}/live`)).toMatchObject({ metadata: { uid: now.metadata.uid }, data: now["data"] });
  expect(scene.archives("safety")).toHaveLength(1);
});

test("what a policy does not let be deleted stays, is named, and holds up nothing else", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await scene.create(configMaps, { metadata: { name: "later" } });
  let isDeleting = false;
  scene.simulator.intercept(({ method, path }) =>
    method === "DELETE" && path === `${configMaps}/later` && isDeleting ? policy : undefined,
  );
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("PRE_VALIDATION phase finished"));
  isDeleting = true; // a policy that was not there when it was tried
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)[0]).toMatch(
    /^cdp: ConfigMap later is not in the backup and stays, because it cannot be deleted/,
  );
  expect(scene.engine.getLogs(restore.crn)).toContain("STARTING_APPS phase finished");
});

/** A restore that rolls back as a daemon set is refused, and cannot put back a config map that it has deleted until `isOver`. */
async function rollingBack(scene: Scene, isOver: (log: string) => boolean) {
  const backup = await scene.backup();
  await scene.create(configMaps, { metadata: { name: "later" }, data: { a: "1" } });
  await scene.lose(daemonSets);
  const before = await scene.picture();
  let crn = "";
  scene.simulator.intercept(({ method, path, query }) => {
    if (crn === "" || method !== "POST" || query.has("dryRun")) return undefined;
    if (path === daemonSets) return policy;
    return path === configMaps && !isOver(scene.engine.getLogs(crn)) ? policy : undefined;
  });
  crn = await scene.startRestore(backup.crn);
  return { ...(await scene.restored(crn)), crn, before };
}

test("a restore that rolls back tries again what is refused, until it is taken", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0, rollBackTimeout: 60_000 });
  const { errors, before } = await rollingBack(scene, (log) =>
    log.includes("rolling back: 1 objects are still refused"),
  );
  expect(texts(errors).at(-1)).toBe("the restore failed and was rolled back: the control plane is as before");
  expect(differences(before, await scene.picture()).filter((line) => !line.includes("annotations"))).toEqual([]);
  expect(scene.archives("safety")).toEqual([]);
});

test("a restore that cannot go back whole says which objects are missing, and keeps them", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const { errors } = await rollingBack(scene, () => false);
  expect(texts(errors).slice(-2)).toEqual([
    expect.stringMatching(/^rolling back: is not as it was before: ConfigMap cdp\/later: POST .*not by our policy/),
    expect.stringMatching(
      /^the restore failed, and its rollback did not bring everything back\. The objects that were there before .*safety\//,
    ),
  ]);
  expect(scene.archives("safety")).toHaveLength(1);
});

test("claims that nobody lets be made hold up nothing else when a restore rolls back, and are named with their volumes", async () => {
  const scene = await Scene.open();
  const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
  const backup = await scene.backup();
  await scene.create(configMaps, { metadata: { name: "later" }, data: { a: "1" } });
  const before = await scene.picture();
  scene.simulator.intercept(({ method, path, query }) =>
    method === "POST" && path === claims && !query.has("dryRun") ? policy : undefined,
  );
  const { state, errors } = await scene.restore(backup.crn);
  expect(state).toBe("FAILED");
  const told = texts(errors);
  expect(told).toContainEqual(
    expect.stringMatching(
      /^rolling back: claims could not be put back: .*PersistentVolumeClaim cdp\/\S+, whose volume is pvc-\S+: /,
    ),
  );
  expect(told.at(-1)).toMatch(/rollback did not bring everything back.* under safety\//);
  const lost = differences(before, await scene.picture());
  expect(lost.filter((line) => line.includes("ConfigMap"))).toEqual([]);
  expect(scene.archives("safety")).toHaveLength(1);
});

test("what goes while a restore runs, as the garbage collector takes it, is recreated", async () => {
  const scene = await Scene.open();
  const before = await scene.picture();
  const [name = ""] = (await scene.names(configMaps)).filter((it) => it !== "kube-root-ca.crt");
  const backup = await scene.backup();
  // Daemon sets are updated when all that was stopped has been compared.
  let deed: Promise<unknown> | undefined;
  scene.simulator.intercept(async ({ method, path, query }) => {
    if (method === "PUT" && path.startsWith(daemonSets) && !query.has("dryRun"))
      await (deed ??= scene.remove(`${configMaps}/${name}`));
    return undefined;
  });
  const crn = await scene.startRestore(backup.crn);
  expect(await scene.restored(crn)).toMatchObject({ state: "COMPLETED", warnings: [], errors: [] });
  expect(scene.engine.getLogs(crn)).toContain(`ConfigMap cdp/${name} is gone again, and is recreated`);
  expect(differences(before, await scene.picture())).toEqual([]);
});

test("a user's snapshot that stays has its labels and annotations of the backup again", async () => {
  const scene = await Scene.open();
  const snapshots = "/apis/snapshot.storage.k8s.io/v1/namespaces/cdp/volumesnapshots";
  const labels = { tier: "gold" };
  await scene.create(snapshots, {
    metadata: { name: "mine", labels },
    spec: { source: { persistentVolumeClaimName: "cdp-artifacts" } },
  });
  const backup = await scene.backup();
  await scene.change(`${snapshots}/mine`, { metadata: { labels: { tier: null, stray: "x" } } });
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect((await scene.get(`${snapshots}/mine`)).metadata.labels).toEqual(labels);
});

test("what is deleted after it was restored is named", async () => {
  const scene = await Scene.open();
  const quotas = "/api/v1/namespaces/cdp/resourcequotas";
  await scene.create(quotas, { metadata: { name: "quota" }, spec: { hard: { pods: "100" } } });
  const backup = await scene.backup();
  const [name = ""] = (await scene.names(configMaps)).filter((it) => it !== "kube-root-ca.crt");
  // Quotas come last, when all else has been looked at.
  let deed: Promise<unknown> | undefined;
  scene.simulator.intercept(async ({ method, path, query }) => {
    if (method === "PUT" && path === `${quotas}/quota` && !query.has("dryRun"))
      await (deed ??= scene.remove(`${configMaps}/${name}`));
    return undefined;
  });
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.warnings)).toEqual([
    `cdp: ConfigMap ${name} was restored but no longer exists: see who deleted it`,
  ]);
});
