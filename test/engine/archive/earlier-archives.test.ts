import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const { signal } = new AbortController();

/** Backups of one small control plane, as services of earlier commits wrote them, in `earlier/`. */
const writers = [
  { writer: "first", isEncrypted: false }, // d86291b, the first that could restore
  { writer: "unencrypted", isEncrypted: false }, // a8677ed, the last before there were keys
  { writer: "encrypted", isEncrypted: true }, // eec85ba, the first with keys
  { writer: "flat-volumes", isEncrypted: true }, // 4fecb1b, the last whose volumes could only be snapshots
];

test.each(writers)("a backup of the $writer service is found and restored whole", async ({ writer, isEncrypted }) => {
  const scene = await Scene.open({ sample: false, isEncrypted });
  await cp(join(import.meta.dirname, "earlier", writer), scene.folder, { recursive: true, force: true });
  const [uuid = ""] = await readdir(join(scene.folder, "backups"));
  await cp(join(scene.folder, "backups"), join(scene.folder, "archives/backups"), { recursive: true });
  const { manifest } = await (await scene.openArchives()).open(`backups/${uuid}`, signal);
  for (const { snapshotHandle } of manifest.volumes.flatMap(({ data }) => data))
    scene.simulator.volumes.addSnapshot(snapshotHandle, { PG_VERSION: "17\n" });
  await scene.restart({ forgetful: true });
  const all = { backupName: "", jobStates: [], pageSize: 0, startingToken: "" };
  await scene.until(() => scene.engine.listBackups(all).items.length === 1);

  const restore = await scene.restore(manifest.backupCrn);
  expect({ warnings: texts(restore.warnings), errors: texts(restore.errors) }).toEqual({ warnings: [], errors: [] });
  const inNamespace = (group: string, resource: string) => scene.names(`/${group}/namespaces/cdp/${resource}`);
  expect(await inNamespace("apis/apps/v1", "deployments")).toEqual(["portal"]);
  expect(await inNamespace("apis/apps/v1", "statefulsets")).toEqual(["cdp-embedded-db"]);
  const { labels } = (await scene.get("/api/v1/namespaces/cdp")).metadata;
  expect(labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "baseline" });
  expect(await scene.get("/api/v1/namespaces/cdp/secrets/password")).toHaveProperty("data.password", "c2VjcmV0");
  const environment = "/apis/example.com/v1/namespaces/cdp/environments/production";
  const { uid } = (await scene.get(environment)).metadata;
  expect(await scene.get("/api/v1/namespaces/cdp/configmaps/settings")).toMatchObject({
    data: { greeting: "Grüß Gott 🌍" },
    metadata: { ownerReferences: [{ kind: "Environment", name: "production", uid }] },
  });
  const text = await (await fetch(scene.simulator.url + environment)).text();
  expect(text).toContain('"spec":{"serial":9007199254740993,"ratio":0.50}');
  expect(await scene.get("/apis/apps/v1/namespaces/cdp/deployments/portal")).toMatchObject({ spec: { replicas: 2 } });
  expect(scene.simulator.volumes.read("cdp", "data-cdp-embedded-db-0", "PG_VERSION").toString()).toBe("17\n");
});
