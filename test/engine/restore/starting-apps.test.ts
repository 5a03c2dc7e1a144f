import { expect, test } from "vitest";
import type { KubernetesObject } from "../../../demo/kubernetes-client.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const deployments = "/apis/apps/v1/namespaces/cdp/deployments";
const daemonSets = "/apis/apps/v1/namespaces/cdp/daemonsets";
type Status = { numberReady?: number } | undefined;
const refusal = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } };

test("deployments that were saved in a version which is no longer served are started, too", async () => {
  const scene = await Scene.open();
  const before = await replicas(scene);
  const { crn } = await scene.backup();
  await ageDeployments(scene, crn);
  await scene.restart({ forgetful: true }); // it would not believe an archive that has changed
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContainEqual(expect.stringContaining("apps/v1beta2 is no longer served"));
  expect(await replicas(scene)).toEqual(before);
});

test("workloads that are refused until the others run are started after them", async () => {
  const scene = await Scene.open();
  const before = await replicas(scene);
  const { crn } = await scene.backup();
  await scene.lose(deployments);
  const restore = await refusing(scene, crn, (log) => log.includes("the applications: "));
  expect(texts(restore.errors)).toEqual([]);
  expect(await replicas(scene)).toEqual(before);
});

test("the embedded database is started first although no workload is taken without replicas", async () => {
  const scene = await Scene.open();
  const { crn } = await scene.backup();
  await scene.lose("/apis/apps/v1/namespaces/cdp/statefulsets");
  scene.simulator.intercept(({ method, path, body }) =>
    method === "POST" && path.endsWith("/statefulsets") && body.includes('"replicas":0') ? refusal : undefined,
  );
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([]);
  const log = scene.engine.getLogs(restore.crn);
  expect(log).toMatch(/StatefulSet cdp\/cdp-embedded-db will be tried again/);
  expect(log).toMatch(/the embedded database: 1 workloads.* ready[\s\S]*the applications: /);
});

test("workloads that are refused to the end are named once, and the others run", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 6 });
  const names = await scene.names(deployments);
  const { crn } = await scene.backup();
  await scene.lose(deployments);
  const restore = await refusing(scene, crn, () => false);
  expect(restore.state).toBe("FAILED");
  expect(texts(restore.errors).toSorted()).toEqual([
    ...names.toSorted().map((name) => expect.stringContaining(`cdp: Deployment ${name} was not restored: POST`)),
    expect.stringContaining("not everything was restored. The objects that were there before are in"),
  ]);
  expect(scene.archives("safety")).toHaveLength(1);
  expect(await scene.get("/apis/apps/v1/namespaces/cdp/statefulsets/cdp-embedded-db")).toMatchObject({
    status: { readyReplicas: 1 },
  });
});

test("a daemon set that is refused to the end is not waited for: it is named once, and nothing is put back", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 60_000 } });
  const { crn } = await scene.backup();
  await scene.lose(daemonSets);
  const restore = await refusing(scene, crn, () => false, daemonSets);
  expect(texts(restore.errors)).toEqual([
    expect.stringContaining("cdp: DaemonSet cdp-log-agent was not restored: POST"),
    expect.stringContaining("not everything was restored. The objects that were there before are in"),
  ]);
  expect(restore.state).toBe("FAILED");
  expect(await scene.names(daemonSets)).toEqual([]);
  expect(scene.engine.getLogs(restore.crn)).not.toContain("rolling back");
});

test("a daemon set that is refused until the others run is waited for after them", async () => {
  const scene = await Scene.open();
  const { crn } = await scene.backup();
  await scene.lose(daemonSets);
  const restore = await refusing(scene, crn, (log) => log.includes("the applications: "), daemonSets);
  expect(texts(restore.errors)).toEqual([]);
  expect(scene.engine.getLogs(restore.crn)).toContain("objects refused before: 1 workloads and claims are ready");
});

test("a daemon set of the vault's namespace does not keep the vault waiting", async () => {
  const scene = await Scene.open();
  const { kind, apiVersion, spec } = await scene.get(`${daemonSets}/cdp-log-agent`);
  const path = "/apis/apps/v1/namespaces/vault-system/daemonsets";
  await scene.create(path, { kind, apiVersion, metadata: { name: "vault-agent" }, spec: withoutVolumes(spec) });
  const isReady = async () => Number(((await scene.get(`${path}/vault-agent`))["status"] as Status)?.numberReady) > 0;
  await scene.until(isReady);
  const { crn } = await scene.backup();
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(await isReady()).toBe(true);
});

test("a workload that somebody deletes while others are started is named", async () => {
  const scene = await Scene.open();
  const [name = ""] = await scene.names(deployments);
  const { crn } = await scene.backup();
  const isItsStart = ({ method, path }: { method: string; path: string }) =>
    method === "PATCH" && path === `${deployments}/${name}`;
  const notFound = { status: 404, body: { kind: "Status", code: 404, reason: "NotFound" } };
  let isStarting = false;
  scene.simulator.intercept((request) => {
    isStarting ||= request.method === "PUT" && request.path.startsWith(daemonSets) && !request.query.has("dryRun");
    return isStarting && isItsStart(request) ? notFound : undefined;
  });
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([
    `Deployment cdp/${name} does not exist, and was not started: create it by hand`,
    expect.stringContaining("not everything was restored. The objects that were there before are in"),
  ]);
});

const asPaused = { spec: { replicas: 2, paused: true }, status: { readyReplicas: 2 } };

test("a deployment that is paused in a roll-out has the pods that it had, and is paused, also when the service dies in between", async () => {
  const scene = await Scene.open();
  await scene.change(`${deployments}/cdp-console`, { spec: { paused: true } });
  await scene.change(`${deployments}/cdp-console`, { spec: { template: { metadata: { labels: { release: "2" } } } } });
  await scene.simulator.settled();
  const { crn } = await scene.backup();
  const restoreCrn = await scene.startRestore(crn);
  await scene.until(() => scene.engine.getLogs(restoreCrn).includes("STARTING_APPS phase started"));
  await scene.restart();
  const { errors, warnings } = await scene.restored(restoreCrn);
  expect(texts(errors)).toEqual([]);
  expect(texts(warnings)).not.toContainEqual(expect.stringContaining("cdp-console"));
  expect(await scene.get(`${deployments}/cdp-console`)).toMatchObject(asPaused);
  expect(await olderPods(scene)).toBe(2);
});

test("a restore from an archive without revisions says what it cannot bring back, before it stops anything", async () => {
  const scene = await Scene.open();
  await scene.change(`${deployments}/cdp-console`, { spec: { paused: true } });
  await scene.change(`${deployments}/cdp-console`, { spec: { template: { metadata: { labels: { release: "2" } } } } });
  await scene.simulator.settled();
  const { crn } = await scene.backup();
  const folder = `backups/${crn.slice(-36)}`;
  const archives = await scene.openArchives();
  const { manifest } = await archives.open(folder, new AbortController().signal);
  const parts = manifest.parts.filter(({ resource }) => resource !== "replicasets");
  await archives.writer(folder).writeManifest({ ...manifest, parts }, new AbortController().signal);
  await scene.restart({ forgetful: true });
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([]);
  const lost =
    "Deployment cdp-console was saved in a roll-out, and the template of its older pods is not in the backup";
  expect(texts(restore.warnings)).toContainEqual(expect.stringContaining(`cdp: ${lost}`));
  const log = scene.engine.getLogs(restore.crn);
  expect(log.indexOf(lost)).toBeLessThan(log.indexOf("STOPPING_APPS"));
  expect(await scene.get(`${deployments}/cdp-console`)).toMatchObject(asPaused);
});

/** How many pods of the console there are without the label of its second release. */
async function olderPods(scene: Scene): Promise<number> {
  const { items } = (await scene.get("/api/v1/namespaces/cdp/pods")) as unknown as { items: KubernetesObject[] };
  const all = items.filter(({ metadata }) => metadata.name.startsWith("cdp-console-"));
  return all.filter(({ metadata }) => metadata.labels?.["release"] === undefined).length;
}

test("a deployment that is paused runs again when a restore rolls back", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0 });
  const { crn } = await scene.backup();
  await scene.change(`${deployments}/cdp-console`, { spec: { paused: true } });
  await scene.lose(daemonSets);
  const { errors } = await refusing(scene, crn, (log) => log.includes("rolling back"), daemonSets);
  expect(texts(errors).at(-1)).toBe("the restore failed and was rolled back: the control plane is as before");
  expect(await scene.get(`${deployments}/cdp-console`)).toMatchObject(asPaused);
});

/** Makes the deployments of a backup be of a version that no cluster serves any more. */
async function ageDeployments(scene: Scene, backupCrn: string): Promise<void> {
  const { signal } = new AbortController();
  const folder = `backups/${backupCrn.slice(-36)}`;
  const archives = await scene.openArchives();
  const reader = await archives.open(folder, signal);
  const writer = archives.writer(folder);
  const aging = reader.parts.map(async (part) => {
    if (part.resource !== "deployments") return part;
    const type = { ...part, apiVersion: "apps/v1beta2" };
    return (await writer.writePart(type, aged(reader.objects(part, signal)), signal)) ?? part;
  });
  await writer.writeManifest({ ...reader.manifest, parts: await Promise.all(aging) }, signal);
}

async function* aged(lines: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const line of lines)
    yield Buffer.from(line.toString().replace('"apiVersion":"apps/v1"', '"apiVersion":"apps/v1beta2"'));
}

async function replicas(scene: Scene): Promise<readonly unknown[]> {
  const names = await scene.names(deployments);
  const found = await Promise.all(names.map((name) => scene.get(`${deployments}/${name}`)));
  return found.map(({ metadata, ...object }) => [metadata.name, (object["spec"] as { replicas: number }).replicas]);
}

/** A pod template of another namespace cannot use what its own has. */
function withoutVolumes(spec: unknown): object {
  const { selector, template } = spec as { selector: object; template: { metadata: object } };
  return {
    selector,
    template: { metadata: template.metadata, spec: { containers: [{ name: "main", image: "main" }] } },
  };
}

/** Restores while the cluster refuses to make objects of a collection until the log says something. */
async function refusing(scene: Scene, backupCrn: string, isOver: (log: string) => boolean, collection = deployments) {
  let crn = "";
  scene.simulator.intercept(({ method, path, query }) => {
    if (method !== "POST" || path !== collection || query.has("dryRun")) return undefined;
    return crn !== "" && isOver(scene.engine.getLogs(crn)) ? undefined : refusal;
  });
  crn = await scene.startRestore(backupCrn);
  return scene.restored(crn);
}
