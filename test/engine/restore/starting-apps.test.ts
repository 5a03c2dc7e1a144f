import { join } from "node:path";
import { expect, test } from "vitest";
import { ArchiveReader } from "../../../engine/archive/archive-reader.ts";
import { ArchiveWriter } from "../../../engine/archive/archive-writer.ts";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const deployments = "/apis/apps/v1/namespaces/cdp/deployments";
const refusal = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } };

test("deployments that were saved in a version which is not served any more are started, too", async () => {
  const scene = await Scene.open();
  const before = await replicas(scene);
  const { crn } = await scene.backup();
  await ageDeployments(scene, crn);
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContainEqual(expect.stringContaining("apps/v1beta2 is not served any more"));
  expect(await replicas(scene)).toEqual(before);
});

test("workloads that are refused until the others run are started after them", async () => {
  const scene = await Scene.open();
  const before = await replicas(scene);
  const { crn } = await scene.backup();
  const restore = await refusing(scene, crn, (log) => log.includes("the applications: "));
  expect(texts(restore.errors)).toEqual([]);
  expect(await replicas(scene)).toEqual(before);
});

test("workloads that are refused to the end are named, and the others run", async () => {
  const scene = await Scene.open();
  const names = await scene.names(deployments);
  const { crn } = await scene.backup();
  const restore = await refusing(scene, crn, () => false);
  expect(restore.state).toBe("FAILED");
  for (const name of names) {
    expect(texts(restore.errors)).toContainEqual(
      expect.stringContaining(`cdp: Deployment ${name} was not restored: POST`),
    );
    expect(texts(restore.errors)).toContain(
      `Deployment cdp/${name} is not there, and was not started: make it by hand`,
    );
  }
  expect(restore.errors).toHaveLength(2 * names.length);
  expect(await scene.get("/apis/apps/v1/namespaces/cdp/statefulsets/cdp-embedded-db")).toMatchObject({
    status: { readyReplicas: 1 },
  });
});

/** Makes the deployments of a backup be of a version that no cluster serves any more. */
async function ageDeployments(scene: Scene, backupCrn: string): Promise<void> {
  const { signal } = new AbortController();
  const storage = new FilesystemArchiveStorage(join(scene.folder, "archives"));
  const folder = `backups/${backupCrn.slice(-36)}`;
  const reader = await ArchiveReader.open(storage, folder, signal);
  const writer = new ArchiveWriter(storage, folder);
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

/** Restores while the cluster refuses to make the deployments until the log says something. */
async function refusing(scene: Scene, backupCrn: string, isOver: (log: string) => boolean) {
  let crn = "";
  scene.simulator.intercept(({ method, path, query }) => {
    if (method !== "POST" || path !== deployments || query.has("dryRun")) return undefined;
    return crn !== "" && isOver(scene.engine.getLogs(crn)) ? undefined : refusal;
  });
  crn = await scene.startRestore(backupCrn);
  return scene.restored(crn);
}
