import { afterEach, expect, test, vi } from "vitest";
import { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";
import { Scene } from "../simulated-control-plane.ts";

const configMaps = "/api/v1/namespaces/cdp/configmaps";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The restore's own config maps, in the order of their names. */
async function ownConfigMaps(scene: Scene): Promise<readonly [string, string, string]> {
  const [one = "", two = "", three = ""] = (await scene.names(configMaps)).filter(
    (name) => name !== "kube-root-ca.crt",
  );
  expect(three).not.toBe("");
  return [one, two, three];
}

test("a restore reads a part of its archive twice where something differs, to prove it and to try it, and else once", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const [changed] = await ownConfigMaps(scene);
  await scene.change(`${configMaps}/${changed}`, { data: { stray: "x" } });
  const read = vi.spyOn(FilesystemArchiveStorage.prototype, "read");
  const restore = await scene.restore(backup.crn);
  expect(restore).toMatchObject({ state: "COMPLETED", warnings: [], errors: [] });
  const files = read.mock.calls.map(([file]) => file).filter((file) => file.startsWith("backups/"));
  const times = (kind: string) => files.filter((file) => file.includes(`.${kind}.ndjson`)).length;
  expect({ configMaps: times("configmaps"), roles: times("roles") }).toEqual({ configMaps: 2, roles: 1 });
});

test("a restore asks once for the whole of the live objects, and four times for their metadata", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const [changed] = await ownConfigMaps(scene);
  await scene.change(`${configMaps}/${changed}`, { data: { stray: "x" } });
  const lists = vi.spyOn(Cluster.prototype, "listRaw");
  const metadataLists = vi.spyOn(Cluster.prototype, "listMetadata");
  const gets = vi.spyOn(Cluster.prototype, "getRaw");
  expect(await scene.restore(backup.crn)).toMatchObject({ state: "COMPLETED" });
  const times = ({ mock: { calls } }: typeof lists | typeof metadataLists) =>
    calls.filter(([{ resource }, namespace]) => resource === "configmaps" && namespace === "cdp").length;
  // Before objects are deleted and before they are written, when the applications run, and when limits are in force again.
  expect({ whole: times(lists), metadata: times(metadataLists) }).toEqual({ whole: 1, metadata: 4 });
  expect(gets.mock.calls.filter(([{ resource }]) => resource === "configmaps")).toEqual([]);
});

test("where much differs the live objects are listed again while the archive goes by, and none is asked for on its own", async () => {
  const scene = await Scene.open();
  const names = Array.from({ length: 2_100 }, (_, index) => `object-${String(index).padStart(4, "0")}`);
  const value = "x".repeat(3_000);
  const inBatches = async (work: (name: string) => Promise<unknown>) => {
    for (let at = 0; at < names.length; at += 100) await Promise.all(names.slice(at, at + 100).map(work));
  };
  await inBatches((name) => scene.create(configMaps, { metadata: { name }, data: { value } }));
  const backup = await scene.backup();
  await inBatches((name) => scene.change(`${configMaps}/${name}`, { data: { stray: value } }));
  const missing = names[1_000] ?? "";
  await scene.remove(`${configMaps}/${missing}`);
  const lists = vi.spyOn(Cluster.prototype, "listRaw");
  const gets = vi.spyOn(Cluster.prototype, "getRaw");
  expect(await scene.restore(backup.crn)).toMatchObject({ state: "COMPLETED", warnings: [], errors: [] });
  // For the safety archive, to try what is not as saved, and to write it.
  const whole = lists.mock.calls.filter(
    ([{ resource }, namespace]) => resource === "configmaps" && namespace === "cdp",
  );
  expect(whole).toHaveLength(3);
  expect(gets.mock.calls.filter(([{ resource }]) => resource === "configmaps")).toEqual([]);
  for (const name of [missing, names[0], names.at(-1)])
    expect((await scene.get(`${configMaps}/${name}`))["data"]).toEqual({ value });
}, 180_000);

test("what somebody changes, deletes or recreates while a restore runs is as saved at its end", async () => {
  const scene = await Scene.open({ controllerDelay: 20 });
  const backup = await scene.backup();
  const [changed, deleted, recreated] = await ownConfigMaps(scene);
  const before = new Map<string, unknown>();
  for (const name of [changed, deleted, recreated])
    before.set(name, (await scene.get(`${configMaps}/${name}`))["data"]);
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("RESTORING_PVC phase started"));
  await scene.change(`${configMaps}/${changed}`, { data: { stray: "x" } });
  await scene.remove(`${configMaps}/${deleted}`);
  await scene.remove(`${configMaps}/${recreated}`);
  await scene.create(configMaps, { metadata: { name: recreated }, data: { stray: "y" } });
  expect(scene.engine.getLogs(crn)).not.toContain("RESTORING_OBJECTS phase started");
  expect(await scene.restored(crn)).toMatchObject({ state: "COMPLETED", errors: [] });
  for (const [name, data] of before) expect((await scene.get(`${configMaps}/${name}`))["data"]).toEqual(data);
});
