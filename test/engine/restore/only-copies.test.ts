import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
const deployments = "/apis/apps/v1/namespaces/cdp/deployments";
const volumes = "/api/v1/persistentvolumes";
const secrets = "/api/v1/namespaces/cdp/secrets";
const freeing = 'see "Freeing what a restore has replaced" in docs/operations.md';
const keptBy = "drs.cloudera.com/kept-by";
const formerPolicy = "drs.cloudera.com/former-policy";

const mounting = (name: string) => ({
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "main" }], volumes: [{ name: "data", persistentVolumeClaim: { claimName: name } }] },
    },
  },
});

/** Makes a claim that a pod uses, with a file. */
async function addClaim(scene: Scene, name: string): Promise<void> {
  const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  await scene.create(claims, { metadata: { name }, spec });
  await scene.create(deployments, mounting(name));
  await scene.until(async () => (await volumeNameOf(scene, name)) !== "");
  await scene.simulator.settled();
  scene.simulator.volumes.write("cdp", name, "data", "only copy");
}

async function volumeNameOf(scene: Scene, claim: string): Promise<string> {
  const { volumeName = "" } = (await scene.get(`${claims}/${claim}`))["spec"] as { volumeName?: string };
  return volumeName;
}

async function policyOf(scene: Scene, volume: string): Promise<unknown> {
  return ((await scene.get(`${volumes}/${volume}`))["spec"] as { persistentVolumeReclaimPolicy?: string })
    .persistentVolumeReclaimPolicy;
}

/** Fails a restore when it starts the applications. */
function failing(scene: Scene): { crn: string } {
  const job = { crn: "" };
  scene.simulator.intercept(({ method, path }) => {
    if (job.crn === "" || method !== "PATCH" || path !== `${deployments}/cdp-api`) return undefined;
    const log = scene.engine.getLogs(job.crn);
    const isStarting = log.includes("STARTING_APPS phase started") && !log.includes("rolling back");
    return isStarting ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } } : undefined;
  });
  return job;
}

test("a claim that is not in the backup stays as it is, and is named", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await addClaim(scene, "later");
  const { uid } = (await scene.get(`${claims}/later`)).metadata;
  const restore = await scene.restore(backup.crn);
  await scene.simulator.settled();
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContain(
    "cdp: the backup does not have the data of claim later, which is left as it is",
  );
  const claim = await scene.get(`${claims}/later`);
  expect(claim.metadata.uid).toBe(uid);
  expect(scene.simulator.volumes.read("cdp", "later", "data").toString()).toBe("only copy");
  expect(await policyOf(scene, await volumeNameOf(scene, "later"))).toBe("Delete");
});

test("a claim that the cluster takes its time to bind to its volume is waited for before the volume is given back", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await addClaim(scene, "later");
  const unbound = { ...(await scene.get(`${claims}/later`)), status: { phase: "Pending" } };
  let crn = "";
  let isSlow = true;
  scene.simulator.intercept(({ method, path }) => {
    if (!isSlow || crn === "" || method !== "GET" || path !== `${claims}/later`) return undefined;
    if (!scene.engine.getLogs(crn).includes("STARTING_APPS phase started")) return undefined;
    isSlow = false;
    return { status: 200, body: unbound };
  });
  crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  expect(isSlow).toBe(false);
  expect(texts(restore.warnings).filter((text) => text.includes("volume"))).toEqual([]);
  expect(await policyOf(scene, await volumeNameOf(scene, "later"))).toBe("Delete");
});

test("a claim that is being deleted, and in no backup, is recreated on its volume when its pods have stopped, and named", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await addClaim(scene, "later");
  const volume = await volumeNameOf(scene, "later");
  await scene.remove(`${claims}/later`);
  const restore = await scene.restore(backup.crn);
  await scene.simulator.settled();
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContain(
    `cdp: claim later has its volume ${volume} again, with its current data: the backup has none; it was being deleted and no longer is: delete it again if you want that`,
  );
  expect((await scene.get(`${claims}/later`)).metadata).not.toHaveProperty("deletionTimestamp");
  expect(scene.simulator.volumes.read("cdp", "later", "data").toString()).toBe("only copy");
  expect(await policyOf(scene, volume)).toBe("Delete");
});

test("a claim that was being deleted is there with its data after a restore that went back", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  await addClaim(scene, "later");
  const volume = await volumeNameOf(scene, "later");
  await scene.remove(`${claims}/later`);
  const job = failing(scene);
  job.crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(job.crn);
  await scene.simulator.settled();
  expect(restore.state).toBe("FAILED");
  expect(await volumeNameOf(scene, "later")).toBe(volume);
  expect(scene.simulator.volumes.read("cdp", "later", "data").toString()).toBe("only copy");
  expect(await policyOf(scene, volume)).toBe("Delete");
});

test("a claim that was being deleted is there with its data though the restore failed before it deleted anything", async () => {
  const scene = await Scene.open({ limits: { podsStopTimeout: 2_000 } });
  const backup = await scene.backup();
  await addClaim(scene, "later");
  const volume = await volumeNameOf(scene, "later");
  await scene.remove(`${claims}/later`);
  let crn = "";
  scene.simulator.intercept(({ method, path, query }) =>
    crn !== "" &&
    method === "PATCH" &&
    path.startsWith(`${deployments}/cdp-api`) &&
    !query.has("dryRun") &&
    isStopping(scene.engine.getLogs(crn))
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } }
      : undefined,
  );
  crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  await scene.simulator.settled();
  expect(restore.state).toBe("FAILED");
  expect(scene.engine.getLogs(crn)).not.toContain("DELETING_OBJECTS phase started");
  expect(texts(restore.warnings)).toContain(
    `cdp: rolling back: claim later has its volume ${volume} again; it was being deleted and no longer is: delete it again if you want that`,
  );
  expect(texts(restore.errors).at(-1)).toMatch(
    /^the restore failed and was rolled back: the control plane is as before, except for the objects its warnings name\. .* under safety\//,
  );
  expect(scene.archives("safety")).toHaveLength(1);
  expect(await volumeNameOf(scene, "later")).toBe(volume);
  expect(scene.simulator.volumes.read("cdp", "later", "data").toString()).toBe("only copy");
  expect(await policyOf(scene, volume)).toBe("Delete");
});

const isStopping = (log: string) => log.includes("STOPPING_APPS phase started") && !log.includes("rolling back");

test("a claim that somebody makes while a restore runs stays when it rolls back, and is named", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const backup = await scene.backup();
  const job = failing(scene);
  job.crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(job.crn).includes("RESTORING_PVC phase started"));
  await addClaim(scene, "meanwhile");
  const restore = await scene.restored(job.crn);
  await scene.simulator.settled();
  expect(restore.state).toBe("FAILED");
  expect(texts(restore.warnings)).toContain(
    "cdp: rolling back: claim meanwhile was created by someone else during this restore, and stays",
  );
  expect(scene.simulator.volumes.read("cdp", "meanwhile", "data").toString()).toBe("only copy");
});

test("volumes that a restore keeps say so, and whose policy is Retain has it again afterwards and is named", async () => {
  const scene = await Scene.open();
  await addClaim(scene, "retained");
  const volume = await volumeNameOf(scene, "retained");
  await scene.change(`${volumes}/${volume}`, { spec: { persistentVolumeReclaimPolicy: "Retain" } });
  const artifacts = await volumeNameOf(scene, "cdp-artifacts");
  const backup = await scene.backup();
  const kept: unknown[] = [];
  let crn = "";
  scene.simulator.intercept(({ method, path }) => {
    if (method === "DELETE" && path.startsWith(`${claims}/`) && kept.length === 0)
      kept.push(scene.get(`${volumes}/${artifacts}`));
    return undefined;
  });
  crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  await scene.simulator.settled();
  expect(texts(restore.errors)).toEqual([]);
  expect(await kept[0]).toMatchObject({
    metadata: { labels: { [keptBy]: crn.slice(-36) }, annotations: { [formerPolicy]: "Delete" } },
    spec: { persistentVolumeReclaimPolicy: "Retain" },
  });
  const former = await scene.get(`${volumes}/${volume}`);
  expect(former).toMatchObject({ spec: { persistentVolumeReclaimPolicy: "Retain" }, status: { phase: "Released" } });
  expect(JSON.stringify(former)).not.toContain("drs.cloudera.com");
  expect(scene.engine.getLogs(crn)).toContain(
    `the former data of claim cdp/retained is on volume ${volume}, whose policy is Retain`,
  );
  expect(await scene.names(volumes)).not.toContain(artifacts);
  const all = await Promise.all((await scene.names(volumes)).map((name) => scene.get(`${volumes}/${name}`)));
  expect(JSON.stringify(all)).not.toContain("drs.cloudera.com");
});

test("as long as something is missing after a restore the replaced volumes stay, and are named", async () => {
  const scene = await Scene.open();
  const artifacts = await volumeNameOf(scene, "cdp-artifacts");
  const backup = await scene.backup();
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "since", "then");
  await scene.lose("/apis/apps/v1/namespaces/cdp/daemonsets");
  let crn = "";
  scene.simulator.intercept(({ method, path, query }) =>
    method === "POST" && path.endsWith("/namespaces/cdp/daemonsets") && !query.has("dryRun")
      ? { status: 403, body: { kind: "Status", code: 403, message: "not by the policy" } }
      : undefined,
  );
  crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  await scene.simulator.settled();
  expect(texts(restore.errors)).toContainEqual(expect.stringContaining("DaemonSet cdp-log-agent was not restored"));
  const said = [...texts(restore.errors), ...texts(restore.warnings)].filter((text) => text.includes(freeing));
  expect(said).toEqual([expect.stringContaining(artifacts)]);
  expect(await scene.get(`${volumes}/${artifacts}`)).toMatchObject({
    metadata: { labels: { [keptBy]: crn.slice(-36) }, annotations: { [formerPolicy]: "Delete" } },
    spec: { persistentVolumeReclaimPolicy: "Retain" },
    status: { phase: "Released" },
  });
});

test("a Secret that is not in the backup stays where a volume that is kept needs it", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await addClaim(scene, "later");
  await scene.create(secrets, { metadata: { name: "later-key" }, stringData: { passphrase: "p" } });
  await scene.create(secrets, { metadata: { name: "other" }, stringData: { a: "b" } });
  const deletion = "volume.kubernetes.io/provisioner-deletion-secret";
  const annotations = { [`${deletion}-namespace`]: "cdp", [`${deletion}-name`]: "later-key" };
  await scene.change(`${volumes}/${await volumeNameOf(scene, "later")}`, { metadata: { annotations } });
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  const names = await scene.names(secrets);
  expect(names).toContain("later-key");
  expect(names).not.toContain("other");
  expect(texts(restore.warnings)).toContain(
    "cdp: Secret later-key is not in the backup, and is left as it is: a retained volume needs it",
  );
});

test("a volume that somebody has deleted is named by the backup, and recreated with its data when a restore rolls back", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const volume = await volumeNameOf(scene, "cdp-artifacts");
  await scene.remove(`${volumes}/${volume}`);
  const backup = await scene.backup();
  expect(texts(backup.warnings)).toEqual([
    `cdp: volume ${volume} of claim cdp-artifacts is being deleted, and will be gone with the claim`,
  ]);
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "data", "only copy");
  const job = failing(scene);
  job.crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(job.crn);
  await scene.simulator.settled();
  expect(restore.state).toBe("FAILED");
  expect(await volumeNameOf(scene, "cdp-artifacts")).toBe(volume);
  expect(scene.simulator.volumes.read("cdp", "cdp-artifacts", "data").toString()).toBe("only copy");
  expect((await scene.get(`${volumes}/${volume}`)).metadata).not.toHaveProperty("deletionTimestamp");
  expect(await policyOf(scene, volume)).toBe("Delete");
});

/** Without them no claim's data can be saved. */
async function removeSnapshotClasses(scene: Scene): Promise<void> {
  const classes = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses";
  for (const name of await scene.names(classes)) await scene.remove(`${classes}/${name}`);
}

test("a claim without data in the backup that has gone comes back on the volume that it has left behind", async () => {
  const scene = await Scene.open();
  await removeSnapshotClasses(scene);
  await addClaim(scene, "retained");
  const volume = await volumeNameOf(scene, "retained");
  await scene.change(`${volumes}/${volume}`, { spec: { persistentVolumeReclaimPolicy: "Retain" } });
  const backup = await scene.backup();
  await scene.remove(`${deployments}/retained`);
  await scene.remove(`${claims}/retained`);
  await scene.until(async () => !(await scene.names(claims)).includes("retained"));
  const restore = await scene.restore(backup.crn);
  await scene.simulator.settled();
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContain(
    `cdp: claim retained has its volume ${volume} again, with its current data: the backup has none`,
  );
  expect(scene.simulator.volumes.read("cdp", "retained", "data").toString()).toBe("only copy");
});

test("a volume made by hand that a restore has recreated is named when it rolls back", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const common = { accessModes: ["ReadWriteMany"], storageClassName: "" };
  const nfs = { server: "nfs.example.com", path: "/exports/share" };
  await scene.create(volumes, {
    metadata: { name: "share" },
    spec: { ...common, capacity: { storage: "1Gi" }, nfs, persistentVolumeReclaimPolicy: "Retain" },
  });
  const resources = { requests: { storage: "1Gi" } };
  await scene.create(claims, { metadata: { name: "share" }, spec: { ...common, resources, volumeName: "share" } });
  await scene.simulator.settled();
  const backup = await scene.backup();
  await scene.remove(`${claims}/share`);
  await scene.remove(`${volumes}/share`);
  const job = failing(scene);
  job.crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(job.crn);
  expect(restore.state).toBe("FAILED");
  expect(await scene.names(claims)).not.toContain("share");
  expect(texts(restore.warnings)).toContain(
    "rolling back: PersistentVolume share was created by the restore and stays: its data lies elsewhere, and stays when it is deleted",
  );
});
