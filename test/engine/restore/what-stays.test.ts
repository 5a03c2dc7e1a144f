import { expect, test } from "vitest";
import type { KubernetesObject } from "../../../demo/kubernetes-client.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const environments = "/apis/platform.cdp.example/v1/namespaces/cdp/environments";
const environment = `${environments}/staging`;
const deployments = "/apis/apps/v1/namespaces/cdp/deployments";
const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
const claim = `${claims}/cdp-artifacts`;
const configMaps = "/api/v1/namespaces/cdp/configmaps";
const volumes = "/api/v1/persistentvolumes";
const snapshots = "/apis/snapshot.storage.k8s.io/v1/namespaces/cdp/volumesnapshots";
const classes = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses";
const rolledBack = "the restore failed and was rolled back: the control plane is as before";
const isStarting = (log: string) => log.includes("STARTING_APPS phase started") && !log.includes("rolling back");

const ownerOf = ({ apiVersion, kind, metadata }: KubernetesObject) => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
});

/** Has an object owned, as a custom resource's operator does. */
async function own(scene: Scene, dependent: string, owner: string): Promise<void> {
  await scene.change(dependent, { metadata: { ownerReferences: [ownerOf(await scene.get(owner))] } });
}

async function ownersOf(scene: Scene, path: string): Promise<readonly string[]> {
  const { ownerReferences = [] } = (await scene.get(path)).metadata;
  return (ownerReferences as readonly { uid: string }[]).map(({ uid }) => uid);
}

async function uidOf(scene: Scene, path: string): Promise<unknown> {
  return (await scene.get(path)).metadata.uid;
}

/** A custom resource that is in no earlier backup, and goes when one is restored. */
async function createLater(scene: Scene): Promise<string> {
  const { apiVersion, kind, ...staging } = await scene.get(environment);
  await scene.create(environments, { apiVersion, kind, metadata: { name: "later" }, spec: staging["spec"] });
  return `${environments}/later`;
}

/** A user's VolumeSnapshot of the artifacts. */
async function takeSnapshot(scene: Scene, name: string): Promise<string> {
  const [volumeSnapshotClassName] = await scene.names(classes);
  const source = { persistentVolumeClaimName: "cdp-artifacts" };
  const spec = { volumeSnapshotClassName, source };
  await scene.create(snapshots, {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: { name },
    spec,
  });
  return `${snapshots}/${name}`;
}

async function whenReady(scene: Scene, snapshot: string): Promise<string> {
  await scene.until(
    async () => ((await scene.get(snapshot))["status"] as { readyToUse?: boolean } | undefined)?.readyToUse === true,
  );
  return snapshot;
}

/** Without them no claim's data can be saved. */
async function removeClasses(scene: Scene): Promise<void> {
  for (const name of await scene.names(classes)) await scene.remove(`${classes}/${name}`);
}

/** Restores beside somebody who acts once, before the first request of a restore that is of this kind is answered. */
async function restoreBeside(
  scene: Scene,
  backupCrn: string,
  isMoment: (method: string, path: string) => boolean,
  act: () => Promise<unknown>,
): Promise<string> {
  let deed: Promise<unknown> | undefined;
  scene.simulator.intercept(async ({ method, path, query, body }) => {
    const isTrial = query.has("dryRun") || body.includes('"dryRun":["All"]');
    if (!isTrial && isMoment(method, path)) await (deed ??= act());
    return undefined;
  });
  return scene.startRestore(backupCrn);
}

const isStopping = (method: string, path: string) => method === "PATCH" && path.startsWith(`${deployments}/`);
const isDeleting = (method: string, path: string) => method === "DELETE" && path.startsWith(environments);

test("a claim without a snapshot stays, though an operator owns it again while it is being stopped", async () => {
  const scene = await Scene.open();
  await removeClasses(scene);
  await own(scene, claim, environment);
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "only", "copy");
  const uid = await uidOf(scene, claim);
  const backup = await scene.backup();
  const crn = await restoreBeside(scene, backup.crn, isStopping, () => own(scene, claim, environment));
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(await uidOf(scene, claim)).toBe(uid);
  expect(await ownersOf(scene, claim)).toEqual([await uidOf(scene, environment)]);
  expect(scene.simulator.volumes.read("cdp", "cdp-artifacts", "only").toString()).toBe("copy");
});

test("a claim without a snapshot stays, and has its labels of the backup again", async () => {
  const scene = await Scene.open();
  const [name] = await scene.names(classes);
  await scene.remove(`${classes}/${name}`);
  const { labels } = (await scene.get(claim)).metadata;
  const { crn } = await scene.backup();
  await scene.change(claim, { metadata: { labels: { later: "1" } } });
  const uid = await uidOf(scene, claim);
  await scene.restore(crn);
  expect((await scene.get(claim)).metadata.labels).toEqual(labels);
  expect(await uidOf(scene, claim)).toBe(uid);
});

test("a claim without a snapshot that goes all the same is put on its volume again", async () => {
  const scene = await Scene.open();
  await removeClasses(scene);
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "only", "copy");
  const backup = await scene.backup();
  const volume = await volumeOf(scene);
  await createLater(scene);
  const crn = await restoreBeside(scene, backup.crn, isDeleting, () => scene.remove(claim));
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContainEqual(
    `cdp: claim cdp-artifacts has its volume ${volume} again, with its current data: the backup has none`,
  );
  expect(scene.simulator.volumes.read("cdp", "cdp-artifacts", "only").toString()).toBe("copy");
  expect(await policyOf(scene, volume)).toBe("Delete");
});

test("the volume of a claim without a snapshot is kept where somebody has made another claim in its place", async () => {
  const scene = await Scene.open();
  await removeClasses(scene);
  const backup = await scene.backup();
  const volume = await volumeOf(scene);
  await createLater(scene);
  const crn = await restoreBeside(scene, backup.crn, isDeleting, async () => {
    await scene.remove(claim);
    await scene.until(async () => !(await scene.names(claims)).includes("cdp-artifacts"));
    await scene.create(claims, {
      metadata: { name: "cdp-artifacts" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    });
    await scene.until(async () => (await volumeOf(scene)) !== "");
  });
  const restore = await scene.restored(crn);
  await scene.simulator.settled();
  expect(restore.state).toBe("PARTIALLY_FAILED");
  expect(texts(restore.warnings)).toContainEqual(
    expect.stringContaining(`cdp: volume ${volume} no longer belongs to claim cdp-artifacts, and has the only copy`),
  );
  expect(await volumeOf(scene)).not.toBe(volume);
  expect(await policyOf(scene, volume)).toBe("Retain");
});

test("users' snapshots outlast a restore that deletes their owners, and are theirs that stay", async () => {
  const scene = await Scene.open();
  const before = await whenReady(scene, await takeSnapshot(scene, "before-the-backup"));
  await own(scene, before, environment);
  const backup = await scene.backup();
  const after = await whenReady(scene, await takeSnapshot(scene, "after-the-backup"));
  await own(scene, after, await createLater(scene));
  const handles = scene.simulator.volumes.snapshotHandles();
  const uids = [await uidOf(scene, before), await uidOf(scene, after)];
  const former = await uidOf(scene, environment);
  const restore = await scene.restore(backup.crn);
  await scene.simulator.settled();
  expect([...texts(restore.errors), ...texts(restore.warnings)].filter((text) => /Snapshot/.test(text))).toEqual([
    "cdp: VolumeSnapshot after-the-backup was owned by Environment later, which does not exist: it no longer has this owner",
  ]);
  expect([await uidOf(scene, before), await uidOf(scene, after)]).toEqual(uids);
  expect(scene.simulator.volumes.snapshotHandles()).toEqual(handles);
  expect([await ownersOf(scene, before), await ownersOf(scene, after)]).toEqual([[former], []]);
  expect(await scene.names(environments)).not.toContain("later");
});

test("users' snapshots outlast a restore that rolls back, and are their owners' again", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const snapshot = await whenReady(scene, await takeSnapshot(scene, "mine"));
  const backup = await scene.backup();
  await own(scene, snapshot, environment);
  const uid = await uidOf(scene, snapshot);
  const crn = await scene.startRestore(backup.crn);
  scene.simulator.intercept(({ method, path }) =>
    method === "PATCH" && path === `${deployments}/cdp-api` && isStarting(scene.engine.getLogs(crn))
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } }
      : undefined,
  );
  const { errors } = await scene.restored(crn);
  await scene.simulator.settled();
  expect(texts(errors).at(-1)).toBe(rolledBack);
  expect(await uidOf(scene, snapshot)).toBe(uid);
  expect(await ownersOf(scene, snapshot)).toEqual([await uidOf(scene, environment)]);
});

test("a snapshot of a group is the group's all the time: both stay", async () => {
  const scene = await Scene.open();
  const group = "groupsnapshot.storage.k8s.io";
  const names = { kind: "VolumeGroupSnapshot", plural: "volumegroupsnapshots", singular: "volumegroupsnapshot" };
  await scene.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `volumegroupsnapshots.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { ...names, listKind: "VolumeGroupSnapshotList" },
      versions: [{ name: "v1beta2", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
    },
  });
  const groups = `/apis/${group}/v1beta2/namespaces/cdp/volumegroupsnapshots`;
  await scene.until(() =>
    scene.names(groups).then(
      () => true,
      () => false,
    ),
  );
  await scene.create(groups, { apiVersion: `${group}/v1beta2`, kind: names.kind, metadata: { name: "all" } });
  await own(scene, `${groups}/all`, environment);
  const member = await whenReady(scene, await takeSnapshot(scene, "member"));
  await own(scene, member, `${groups}/all`);
  const uid = await uidOf(scene, `${groups}/all`);
  const backup = await scene.backup();
  let isTouched = false;
  scene.simulator.intercept(({ method, path }) => {
    isTouched ||= method === "PATCH" && path === member;
    return undefined;
  });
  const restore = await scene.restore(backup.crn);
  await scene.simulator.settled();
  expect(texts(restore.errors)).toEqual([]);
  expect(isTouched).toBe(false);
  expect(await uidOf(scene, `${groups}/all`)).toBe(uid);
  expect(await ownersOf(scene, `${groups}/all`)).toEqual([await uidOf(scene, environment)]);
  expect(await ownersOf(scene, member)).toEqual([uid]);
});

test("what claims and users' snapshots own is theirs again", async () => {
  const scene = await Scene.open();
  const ownedBy = async (name: string, owner: string) =>
    scene.create(configMaps, { metadata: { name, ownerReferences: [ownerOf(await scene.get(owner))] } });
  const snapshot = await whenReady(scene, await takeSnapshot(scene, "mine"));
  await scene.create("/api/v1/persistentvolumes", {
    metadata: { name: "share" },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteMany"],
      nfs: { server: "nfs", path: "/" },
      claimRef: { namespace: "cdp", name: "share" },
    },
  });
  await scene.create(claims, {
    metadata: { name: "share" },
    spec: {
      accessModes: ["ReadWriteMany"],
      storageClassName: "",
      volumeName: "share",
      resources: { requests: { storage: "1Gi" } },
    },
  });
  const owners = { "of-filled": claim, "of-left": `${claims}/share`, "of-snapshot": snapshot };
  for (const [name, owner] of Object.entries(owners)) await ownedBy(name, owner);
  await scene.simulator.settled();
  const backup = await scene.backup();
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.warnings).filter((text) => text.includes("was owned by"))).toEqual([]);
  await scene.simulator.settled();
  for (const [name, owner] of Object.entries(owners))
    expect([name, await ownersOf(scene, `${configMaps}/${name}`)]).toEqual([name, [await uidOf(scene, owner)]]);
});

async function volumeOf(scene: Scene): Promise<string> {
  return ((await scene.get(claim))["spec"] as { volumeName?: string }).volumeName ?? "";
}

async function policyOf(scene: Scene, volume: string): Promise<string | undefined> {
  const { spec } = await scene.get(`${volumes}/${volume}`);
  return (spec as { persistentVolumeReclaimPolicy?: string }).persistentVolumeReclaimPolicy;
}
