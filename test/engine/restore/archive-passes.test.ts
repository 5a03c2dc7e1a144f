import { expect, test, vi } from "vitest";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";
import { Scene } from "../simulated-control-plane.ts";

const configMaps = "/api/v1/namespaces/cdp/configmaps";

test("a restore reads a part of its archive three times: to prove it, to try it, and to restore it", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const [changed = ""] = (await scene.names(configMaps)).filter((name) => name !== "kube-root-ca.crt");
  await scene.change(`${configMaps}/${changed}`, { data: { stray: "x" } });
  const read = vi.spyOn(FilesystemArchiveStorage.prototype, "read");
  const restore = await scene.restore(backup.crn);
  expect(restore).toMatchObject({ state: "COMPLETED", warnings: [], errors: [] });
  const files = read.mock.calls.map(([file]) => file).filter((file) => file.startsWith("backups/"));
  const times = (kind: string) => files.filter((file) => file.includes(`.${kind}.ndjson`)).length;
  expect({ configMaps: times("configmaps"), roles: times("roles") }).toEqual({ configMaps: 3, roles: 3 });
});
