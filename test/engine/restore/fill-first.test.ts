import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import type { Picture } from "../../../demo/picture.ts";
import { noAnswer, Scene, type SceneOptions, texts } from "../simulated-control-plane.ts";

const place = "drs";
const fillers = `/api/v1/namespaces/${place}/persistentvolumeclaims`;
const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
const volumes = "/api/v1/persistentvolumes";
const snapshots = `/apis/snapshot.storage.k8s.io/v1/namespaces/${place}/volumesnapshots`;
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const database = "data-cdp-embedded-db-0";

/** A scene whose service fills volumes in a namespace beside the control plane, where somebody has a claim and a snapshot. */
async function sceneWithPlace(options: SceneOptions = {}): Promise<Scene> {
  const scene = await Scene.open({ fillNamespace: place, ...options });
  await scene.create("/api/v1/namespaces", { metadata: { name: place } });
  await scene.create(fillers, {
    metadata: { name: "bystander" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  });
  await scene.simulator.settled();
  scene.simulator.volumes.write(place, "bystander", "file", "of somebody else");
  return scene;
}

/** A claim on a volume that was not provisioned for it has no notes of the provisioner. */
const left = (before: Picture, after: Picture) =>
  differences(before, after).filter((line) => !/^PersistentVolumeClaim \S+: metadata.annotations differs$/.test(line));

/** What a restore may leave nothing of. */
async function traces(scene: Scene): Promise<object> {
  await scene.simulator.settled();
  const list = async (path: string) =>
    (await scene.get(path)) as unknown as { items: { metadata: { labels?: object } }[] };
  const { items } = await list(volumes);
  return {
    fillers: await scene.names(fillers),
    snapshots: await scene.names(snapshots),
    contents: await scene.names(contents),
    labelled: items.filter(({ metadata }) => metadata.labels !== undefined),
    bytes: scene.simulator.volumes.read(place, "bystander", "file").toString(),
  };
}
const none = { fillers: ["bystander"], snapshots: [], contents: [], labelled: [], bytes: "of somebody else" };

/** The reclaim policies of the volumes. */
async function policies(scene: Scene): Promise<readonly string[]> {
  const { items } = (await scene.get(volumes)) as unknown as {
    items: { spec: { persistentVolumeReclaimPolicy: string } }[];
  };
  return [...new Set(items.map(({ spec }) => spec.persistentVolumeReclaimPolicy))];
}

const log = (scene: Scene, crn: string) => scene.engine.getLogs(crn);

test("volumes are full before anything is stopped, and the claims are as they were saved", async () => {
  const scene = await sceneWithPlace();
  const before = await scene.picture();
  const backup = await scene.backup();
  const handles = scene.simulator.volumes.volumeHandles();
  scene.simulator.volumes.write("cdp", database, "pgdata/PG_VERSION", "18\n");
  const asked: string[] = [];
  scene.simulator.intercept(({ method, path }) => {
    if (method === "POST" && path.includes("volumesnapshots")) asked.push(path);
    return undefined;
  });
  const restore = await scene.restore(backup.crn);
  expect({ state: restore.state, errors: texts(restore.errors) }).toEqual({ state: "COMPLETED", errors: [] });
  expect(log(scene, restore.crn)).toMatch(/PRE_VALIDATION filled 3 volumes while the applications run\n/);
  expect(new Set(asked)).toEqual(new Set([snapshots]));
  expect(left(before, await scene.picture())).toEqual([]);
  expect((await scene.get(`${claims}/${database}`))["spec"]).not.toHaveProperty("dataSource");
  expect(await policies(scene)).toEqual(["Delete"]);
  expect(scene.simulator.volumes.volumeHandles()).toHaveLength(handles.length);
  expect(await traces(scene)).toEqual(none);
});

test("a slow driver holds up nothing that is stopped", async () => {
  const scene = await sceneWithPlace();
  const backup = await scene.backup();
  scene.simulator.volumes.slowDown(1_500);
  const restore = await scene.restore(backup.crn);
  expect(restore.state).toBe("COMPLETED");
  const seconds = (phase: string) =>
    Number(new RegExp(`${phase} phase finished after (\\S+) s`).exec(log(scene, restore.crn))?.[1]);
  expect(seconds("PRE_VALIDATION")).toBeGreaterThanOrEqual(1.5);
  expect(seconds("RESTORING_PVC")).toBeLessThan(1.5);
});

test("a driver that takes longer for all than the limit is waited for as long as it makes one after the other", async () => {
  const scene = await sceneWithPlace({ limits: { snapshotTimeout: 3_000, clusterConcurrency: 1 } });
  const backup = await scene.backup();
  scene.simulator.volumes.slowDown(2_000);
  let made = 0;
  scene.simulator.intercept(({ method, path }) => {
    if (method === "POST" && path === fillers && made++ > 0) scene.simulator.volumes.slowDown(2_000 * made);
    return undefined;
  });
  const restore = await scene.restore(backup.crn);
  expect(restore.state).toBe("COMPLETED");
  expect(log(scene, restore.crn)).toContain("filled 3 volumes while");
  // What is there may have changed in so long a time.
  expect([...log(scene, restore.crn).matchAll(/saved the \d+ objects that are there now/g)]).toHaveLength(2);
});

test("a restore that would be refused fails before it fills anything", async () => {
  const scene = await sceneWithPlace();
  const backup = await scene.backup();
  let fills = 0;
  const deployment = "/apis/apps/v1/namespaces/cdp/deployments/cdp-api";
  scene.simulator.intercept(({ method, path, query }) => {
    if (method === "POST" && path === fillers) fills++;
    const isRefused = query.has("dryRun") && path === deployment;
    return isRefused
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not this one" } }
      : undefined;
  });
  expect((await scene.restore(backup.crn)).state).toBe("FAILED");
  expect(fills).toBe(0);
  expect(await traces(scene)).toEqual(none);
});

test("a claim whose filler is refused is filled when the applications have stopped, which is said before", async () => {
  const scene = await sceneWithPlace();
  const before = await scene.picture();
  const backup = await scene.backup();
  const quota = { kind: "Status", reason: "Forbidden", message: "exceeded quota: small" };
  let refusals = 0;
  scene.simulator.intercept(({ method, path }) =>
    method === "POST" && path === fillers && refusals++ === 0 ? { status: 403, body: quota } : undefined,
  );
  const restore = await scene.restore(backup.crn);
  expect({ state: restore.state, errors: texts(restore.errors) }).toEqual({ state: "COMPLETED", errors: [] });
  expect(log(scene, restore.crn)).toMatch(
    /PRE_VALIDATION DRS-R065 filled only after the applications stop, because .*exceeded quota: small: claims \S+\n/,
  );
  expect(log(scene, restore.crn)).toContain("filled 2 volumes while");
  expect(left(before, await scene.picture())).toEqual([]);
  expect(await traces(scene)).toEqual(none);
});

test("a service without rights in its namespace fills all when the applications have stopped, which is said before", async () => {
  const scene = await sceneWithPlace({ isAllowed: ({ verb, namespace }) => verb !== "*" && namespace !== place });
  const before = await scene.picture();
  const backup = await scene.backup();
  const asked: string[] = [];
  scene.simulator.intercept(({ method, path }) => {
    if (path.includes(`/namespaces/${place}/`)) asked.push(`${method} ${path}`);
    return undefined;
  });
  const restore = await scene.restore(backup.crn);
  scene.simulator.intercept(undefined);
  expect({ state: restore.state, errors: texts(restore.errors), asked }).toEqual({
    state: "COMPLETED",
    errors: [],
    asked: [],
  });
  expect(log(scene, restore.crn)).toMatch(
    /PRE_VALIDATION DRS-R065 filled only after .*, because the service's account lacks rights that filling them in advance needs: .*create.* persistentvolumeclaims.* in drs.*: claims \S+, \S+, \S+\n/,
  );
  expect(left(before, await scene.picture())).toEqual([]);
  expect(await traces(scene)).toEqual(none);
});

test("a claim whose driver makes no volume beside its pod is filled there", async () => {
  const scene = await sceneWithPlace({ limits: { snapshotTimeout: 3_000 } });
  const late = {
    metadata: { name: "late" },
    provisioner: "sim.csi.drs.example",
    volumeBindingMode: "WaitForFirstConsumer",
  };
  await scene.create("/apis/storage.k8s.io/v1/storageclasses", late);
  const selected = { "volume.kubernetes.io/selected-node": "sim-node-1" };
  await scene.create(claims, {
    metadata: { name: "idle", annotations: selected },
    spec: { storageClassName: "late", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  });
  await scene.simulator.settled();
  scene.simulator.volumes.write("cdp", "idle", "file", "bytes");
  const backup = await scene.backup();
  expect(log(scene, (await scene.restore(backup.crn)).crn)).toContain("filled 4 volumes while");
  expect(scene.simulator.volumes.read("cdp", "idle", "file").toString()).toBe("bytes");

  scene.simulator.volumes.fillNode("sim-node-1");
  const restore = await scene.restore(backup.crn);
  expect(log(scene, restore.crn)).toMatch(/filled only after .*no room on sim-node-1: claims cdp\/idle\n/);
  expect(await traces(scene)).toMatchObject({ fillers: ["bystander"], snapshots: [] });
});

test("what PRE_VALIDATION refuses leaves nothing of what was filled", async () => {
  const scene = await sceneWithPlace();
  const backup = await scene.backup();
  const handles = scene.simulator.volumes.volumeHandles();
  const versions = await scene.versions();
  const crn = await scene.startRestore(backup.crn);
  scene.simulator.volumes.slowDown(60_000);
  await scene.until(async () => (await scene.names(fillers)).length === 4);
  scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
  const restore = await scene.restored(crn);
  expect(restore.state).toBe("FAILED");
  expect(await scene.versions()).toEqual(versions);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(handles);
  expect(await traces(scene)).toEqual(none);
});

test.each([
  ["before the hand-over", "DELETING_OBJECTS phase started"],
  ["after the hand-over", "RESTORING_PVC phase finished"],
  ["while applications start", "STARTING_APPS phase started"],
])("a restore that is cancelled %s leaves nothing of what was filled", async (_when, mark) => {
  const scene = await sceneWithPlace({ controllerDelay: 4 });
  const before = await scene.picture();
  const backup = await scene.backup();
  const handles = scene.simulator.volumes.volumeHandles();
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => log(scene, crn).includes(mark));
  scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
  expect((await scene.restored(crn)).state).toBe("FAILED");
  expect(left(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(handles);
  expect(await traces(scene)).toEqual(none);
});

test("a rollback that lacks the right to remove what was filled waits for it", async () => {
  const scene = await sceneWithPlace({ controllerDelay: 4 });
  const before = await scene.picture();
  const backup = await scene.backup("vault-system");
  const handles = scene.simulator.volumes.volumeHandles();
  const message = 'persistentvolumeclaims is forbidden: User "drs" cannot delete it';
  const crn = await scene.startRestore(backup.crn);
  const hasWaited = () => /attempt 2: .* again in/.test(log(scene, crn));
  scene.simulator.intercept(({ method, path, query }) =>
    method === "DELETE" &&
    path.startsWith(fillers) &&
    log(scene, crn).includes("rolling back") &&
    !hasWaited() &&
    !query.has("dryRun")
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message } }
      : undefined,
  );
  await scene.until(() => log(scene, crn).includes("DELETING_OBJECTS phase started"));
  scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
  const { state, errors } = await scene.restored(crn);
  expect(hasWaited()).toBe(true);
  expect({ state, last: texts(errors).at(-1) }).toEqual({
    state: "FAILED",
    last: "the restore failed and was rolled back: the control plane is as before",
  });
  expect(texts(errors).filter((text) => text.includes("could not be removed"))).toEqual([]);
  expect(left(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(handles);
  expect(await traces(scene)).toEqual(none);
});

const isRemoval = (method: string, path: string) => method === "DELETE" && path.startsWith(fillers);

test("a rollback whose service dies when the webhooks are back removes nothing more of what was filled", async () => {
  const scene = await sceneWithPlace({ controllerDelay: 4 });
  const backup = await scene.backup();
  const crn = await scene.startRestore(backup.crn);
  const policy = { kind: "Status", reason: "Forbidden", message: "policy says no" };
  let isDead = false;
  let removals = 0;
  scene.simulator.intercept(({ method, path, query }) => {
    if (!log(scene, crn).includes("rolling back") || query.has("dryRun")) return undefined;
    isDead ||= method !== "GET" && path.includes("webhookconfigurations");
    if (isDead) return noAnswer;
    return isRemoval(method, path) ? { status: 403, body: policy } : undefined;
  });
  await scene.until(() => log(scene, crn).includes("DELETING_OBJECTS phase started"));
  scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
  await scene.until(() => isDead);
  const meanwhile = () =>
    scene.simulator.intercept(({ method, path }) => {
      if (isRemoval(method, path)) removals++;
      return undefined;
    });
  await scene.restart({ meanwhile });
  const { errors } = await scene.restored(crn);
  expect(texts(errors).filter((text) => text.includes("could not be removed"))).toHaveLength(1);
  expect(removals).toBe(0);
});

test("a volume that somebody deletes before it is handed over is filled again", async () => {
  const scene = await sceneWithPlace();
  const before = await scene.picture();
  const backup = await scene.backup();
  const removeOne = async () => {
    const { items } = (await scene.get(volumes)) as unknown as {
      items: { metadata: { name: string; labels?: object } }[];
    };
    const filled = items.find(({ metadata }) => "drs.cloudera.com/filled-by" in (metadata.labels ?? {}));
    await scene.change(`${volumes}/${filled?.metadata.name}`, { metadata: { finalizers: null } });
    await scene.remove(`${volumes}/${filled?.metadata.name}`);
  };
  let removing: Promise<void> | undefined;
  // When the applications are stopped, all are filled.
  scene.simulator.intercept(async ({ method, path, query }) => {
    if (method === "PATCH" && path.startsWith("/apis/apps/") && !query.has("dryRun")) await (removing ??= removeOne());
    return undefined;
  });
  const crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(log(scene, crn)).toMatch(/the volume that was filled for claim \S+ is gone: another one is filled/);
  expect(left(before, await scene.picture())).toEqual([]);
});

test("a volume that somebody deletes right before it is reserved for its claim is filled again", async () => {
  const scene = await sceneWithPlace();
  const before = await scene.picture();
  const backup = await scene.backup();
  const removeVolume = async (path: string) => {
    await scene.change(path, { metadata: { finalizers: null } });
    await scene.remove(path);
  };
  let removing: Promise<void> | undefined;
  scene.simulator.intercept(async ({ method, path, query, body }) => {
    const isReservation = path.startsWith(volumes) && /"claimRef":\{[^}]*"uid":null/.test(body);
    if (method === "PATCH" && isReservation && !query.has("dryRun")) await (removing ??= removeVolume(path));
    return undefined;
  });
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(log(scene, restore.crn)).toMatch(/the volume that was filled for claim \S+ is gone: another one is filled/);
  expect(left(before, await scene.picture())).toEqual([]);
});

test("a volume that somebody deletes before PRE_VALIDATION is over is filled again while the applications run", async () => {
  const scene = await sceneWithPlace();
  const before = await scene.picture();
  const backup = await scene.backup("vault-system");
  let isFilled = false;
  // The trial of the hand-over comes when it is noted that the volume is full.
  scene.simulator.intercept(({ method, path, query }) => {
    isFilled ||= method === "PATCH" && path.startsWith(volumes) && query.has("dryRun");
    return isFilled && method !== "GET" && query.has("dryRun") ? noAnswer : undefined;
  });
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => isFilled);
  const [filler = ""] = (await scene.names(fillers)).filter((name) => name !== "bystander");
  const { volumeName } = (await scene.get(`${fillers}/${filler}`))["spec"] as { volumeName: string };
  for (const path of [`${fillers}/${filler}`, `${volumes}/${volumeName}`]) {
    await scene.change(path, { metadata: { finalizers: null } });
    await scene.remove(path);
  }
  await scene.restart({ meanwhile: () => scene.simulator.intercept(undefined) });
  const { state, errors, warnings } = await scene.restored(crn);
  expect({ state, messages: texts([...errors, ...warnings]) }).toEqual({ state: "COMPLETED", messages: [] });
  expect(log(scene, crn)).toContain("filled 1 volumes while the applications run");
  expect(log(scene, crn)).not.toContain("another one is filled");
  expect(left(before, await scene.picture())).toEqual([]);
  expect(await traces(scene)).toEqual(none);
});

/** The writes that fill a volume and hand it over, in the order of a restore. */
const isOfFilling = (method: string, path: string) =>
  method !== "GET" && /persistentvolume|volumesnapshot/.test(path) && !path.includes("?dryRun");

/** A restore of the vault whose service dies right before the n-th write that fills its volume; false when there is no such. */
async function dieBefore(scene: Scene, backupCrn: string, n: number): Promise<string | undefined> {
  let writes = 0;
  let isDead = false;
  scene.simulator.intercept(({ method, path, query }) => {
    if (isOfFilling(method, path) && !query.has("dryRun")) isDead ||= ++writes === n;
    return isDead ? noAnswer : undefined;
  });
  const crn = await scene.startRestore(backupCrn);
  await scene.until(() => isDead || scene.engine.describeRestore(crn).phase === "FINISHED");
  if (!isDead) return undefined;
  await scene.restart({ meanwhile: () => scene.simulator.intercept(undefined) });
  return crn;
}

test("a restore whose service dies before any of the writes that fill and hand over is done, and leaves nothing else", async () => {
  const scene = await sceneWithPlace();
  const before = await scene.picture();
  const backup = await scene.backup("vault-system");
  const handles = scene.simulator.volumes.volumeHandles().length;
  let n = 0;
  for (;;) {
    const crn = await dieBefore(scene, backup.crn, ++n);
    if (crn === undefined) break;
    const { state, errors, warnings } = await scene.restored(crn);
    expect({ n, state, messages: texts([...errors, ...warnings]) }).toEqual({ n, state: "COMPLETED", messages: [] });
    expect({ n, left: left(before, await scene.picture()) }).toEqual({ n, left: [] });
    expect({ n, handles: scene.simulator.volumes.volumeHandles().length }).toEqual({ n, handles });
    expect({ n, ...(await traces(scene)) }).toEqual({ n, ...none });
  }
  expect(n).toBeGreaterThan(10);
}, 180_000);

test("a restore that is cancelled after such a death rolls back, and leaves nothing of what was filled", async () => {
  const scene = await sceneWithPlace();
  const backup = await scene.backup("vault-system");
  const before = await scene.picture();
  const handles = scene.simulator.volumes.volumeHandles();
  for (let n = 1; ; n++) {
    const crn = await dieBefore(scene, backup.crn, n);
    if (crn === undefined) break;
    try {
      scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
    } catch {
      break; // all is restored
    }
    const { state } = await scene.restored(crn);
    if (state === "COMPLETED") break;
    expect({ n, left: left(before, await scene.picture()) }).toEqual({ n, left: [] });
    expect({ n, handles: scene.simulator.volumes.volumeHandles() }).toEqual({ n, handles });
    expect({ n, ...(await traces(scene)) }).toEqual({ n, ...none });
  }
}, 180_000);

test.each([
  ["before the old claims go", "DELETING_OBJECTS phase started"],
  ["when the old claims are gone", "RESTORING_PVC phase started"],
  ["after the hand-over", "RESTORING_PVC phase finished"],
])(
  "a restore that may not go back and ends %s leaves no filler, and a claim or a kept volume of each",
  async (_when, mark) => {
    const scene = await sceneWithPlace({ controllerDelay: 4, rollBack: false });
    const backup = await scene.backup("vault-system");
    const crn = await scene.startRestore(backup.crn);
    await scene.until(() => log(scene, crn).includes(mark));
    scene.engine.cancelJob({ crn, caller: { name: "alice", requestId: "" } });
    const { state, errors } = await scene.restored(crn);
    expect({ state, errors: texts(errors).slice(1) }).toEqual({
      state: "FAILED",
      errors: [expect.stringMatching(/^rollback is turned off\. .* persistent volumes pvc-\S+ of vault-system\//)],
    });
    const { labelled, ...others } = (await traces(scene)) as { labelled: { metadata: { labels: object } }[] };
    const { labelled: _none, ...noOthers } = none;
    expect(others).toEqual(noOthers);
    expect(labelled.map(({ metadata }) => Object.keys(metadata.labels))).toEqual([["drs.cloudera.com/kept-by"]]);
  },
);

test("a restore that may not go back and is refused a claim on its way leaves no filler, and the data is where it was", async () => {
  const scene = await sceneWithPlace({ rollBack: false });
  const backup = await scene.backup("vault-system");
  const snapshots = scene.simulator.volumes.snapshotHandles();
  const handles = scene.simulator.volumes.volumeHandles();
  const path = "/api/v1/namespaces/vault-system/persistentvolumeclaims";
  const policy = { kind: "Status", reason: "Forbidden", message: "no claims today" };
  scene.simulator.intercept(({ method, path: asked, query }) =>
    method === "POST" && asked === path && !query.has("dryRun") ? { status: 403, body: policy } : undefined,
  );
  const { state, errors } = await scene.restore(backup.crn);
  expect({ state, errors: texts(errors) }).toEqual({
    state: "FAILED",
    errors: [
      expect.stringMatching(/^volume \S+ cannot be handed over to claim vault-system\/\S+: POST .*no claims today/),
      expect.stringContaining("rollback is turned off"),
    ],
  });
  const { labelled, ...others } = (await traces(scene)) as { labelled: { metadata: { labels: object } }[] };
  const { labelled: _none, ...noOthers } = none;
  expect(others).toEqual(noOthers);
  expect(labelled.map(({ metadata }) => Object.keys(metadata.labels))).toEqual([["drs.cloudera.com/kept-by"]]);
  expect(scene.simulator.volumes.snapshotHandles()).toEqual(snapshots);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(handles);
});
