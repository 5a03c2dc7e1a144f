import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import type { KubernetesObject } from "../../../demo/kubernetes-client.ts";
import type { Picture } from "../../../demo/picture.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

/** What the service of commit 8d2a4d4 left, on the simulated cluster, when `--crash-at` ended it at the point in the file's name. */
interface Left {
  /** The CRN of the job. */
  readonly job: string;
  readonly cluster: string;
  /** The sample control plane as the job is to leave it. */
  readonly picture: {
    readonly objects: readonly (readonly [string, KubernetesObject])[];
    readonly files: readonly (readonly [string, string])[];
  };
  /** The service's own, by path, in base64: its database, archives and encryption keys. */
  readonly files: Readonly<Record<string, string>>;
}

const earlier = join(import.meta.dirname, "earlier");
const left = (job: string) => readdirSync(earlier).filter((name) => name.startsWith(job));

/** Starts today's service on what an earlier one left. */
async function continued(name: string): Promise<{ scene: Scene; crn: string; picture: Picture }> {
  const it = JSON.parse(gunzipSync(readFileSync(join(earlier, name))).toString()) as Left;
  const scene = await Scene.open({ sample: false, state: it.cluster });
  await scene.restart({
    meanwhile: () => {
      for (const file of readdirSync(scene.folder)) rmSync(join(scene.folder, file), { recursive: true });
      for (const [path, bytes] of Object.entries(it.files)) {
        const file = path === "drs.db" ? scene.databasePath : join(scene.folder, path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, Buffer.from(bytes, "base64"));
      }
    },
  });
  const files = it.picture.files.map(([path, bytes]) => [path, Buffer.from(bytes, "base64")] as const);
  return { scene, crn: it.job, picture: { objects: new Map(it.picture.objects), files: new Map(files) } };
}

test.each(left("backup"))("a backup that an earlier service left half made is made: %s", async (name) => {
  const { scene, crn, picture } = await continued(name);
  await scene.until(() => scene.engine.describeBackup(crn).phase === "FINISHED");
  const { state, errors, warnings } = scene.engine.describeBackup(crn);
  expect({ state, messages: texts([...errors, ...warnings]) }).toEqual({ state: "COMPLETED", messages: [] });
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(3);
  await scene.remove("/apis/apps/v1/namespaces/cdp/statefulsets/cdp-embedded-db");
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "entries: {lost}");
  expect(await scene.restore(crn)).toMatchObject({ state: "COMPLETED" });
  expect(differences(picture, await scene.picture())).toEqual([]);
});

/** The sample has an environment whose controller is away, as the earlier service reported. */
const told = /^cdp: Environment sandbox was held by .*: the finalizers were removed$/u;

test.each(left("restore"))("a restore that an earlier service left half done is done: %s", async (name) => {
  const { scene, crn, picture } = await continued(name);
  const restore = await scene.restored(crn);
  const warnings = texts(restore.warnings).filter((text) => !told.test(text));
  expect({ errors: texts(restore.errors), warnings }).toEqual({ errors: [], warnings: [] });
  expect(scene.engine.getLogs(crn)).toContain("continued after a restart");
  expect(differences(picture, await scene.picture())).toEqual([]);
  expect(scene.archives("safety")).toEqual([]);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents")).toEqual([]);
});

/** A claim that is given a volume is not provisioned, and has no note of the provisioner. */
const notProvisioned = /^PersistentVolumeClaim \S+: metadata.annotations differs$/u;

test.each(left("failed"))("a restore that an earlier service left rolling back rolls back: %s", async (name) => {
  const { scene, crn, picture } = await continued(name);
  const { state, errors } = await scene.restored(crn);
  expect({ state, last: texts(errors).at(-1) }).toEqual({
    state: "FAILED",
    last: "the restore failed and was rolled back: the control plane is as before",
  });
  expect(differences(picture, await scene.picture()).filter((line) => !notProvisioned.test(line))).toEqual([]);
  expect(scene.archives("safety")).toEqual([]);
});
