import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SmallControlPlane } from "../fidelity/support.ts";
import { startService } from "../support/service.ts";
import { aRunningControlPlane, differencesSince, type Picture, release, takePictureOf, touchedSince } from "./scene.ts";

const namespace = "encryption";
const keyA = `a ${Buffer.alloc(32, "a").toString("base64")}`;
const keyB = `b ${Buffer.alloc(32, "b").toString("base64")}`;
const anotherA = `a ${Buffer.alloc(32, "x").toString("base64")}`;

let folder: string;
let keys: string;
let plane: SmallControlPlane;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drs-keys-"));
  keys = join(folder, "keys");
  await writeKeys(keyA);
  plane = await aRunningControlPlane(namespace, [`--encryption-keys=${keys}`]);
});
afterAll(async () => {
  await plane?.remove();
  await rm(folder, { recursive: true });
});

test("backups of a key before and after a rotation are restored; without their key, or with another of its name, nothing is touched", async () => {
  const first = await backup();
  await release(plane, 2);
  await restartWith(keyB, keyA);
  const second = await backup();
  expect([await keyOf(first.crn), await keyOf(second.crn)]).toEqual(["a", "b"]);
  await release(plane, 3);

  for (const { crn, picture } of [first, second]) {
    plane.backupCrn = crn;
    await plane.restore();
    expect(await differencesSince(picture, plane)).toEqual([]);
  }

  const before = await takePictureOf(plane);
  for (const [held, message] of [
    [[keyB], /manifest\.json is encrypted with key a \(.*\), which the service does not have: add it/],
    [[keyB, anotherA], /manifest\.json is encrypted with key a \(.*\), but the service's a is another key/],
  ] as const) {
    await restartWith(...held);
    plane.backupCrn = first.crn;
    const { errors } = await plane.restore({ state: "FAILED" });
    expect(errors).toEqual([expect.stringMatching(message)]);
  }
  expect(await touchedSince(before, plane)).toEqual([]);
});

async function backup(): Promise<{ readonly crn: string; readonly picture: Picture }> {
  const picture = await takePictureOf(plane);
  const { crn } = await plane.backUp();
  return { crn, picture };
}

/** The id that a backup's manifest names in clear text. */
async function keyOf(backupCrn: string): Promise<string> {
  const uuid = backupCrn.slice(backupCrn.lastIndexOf(":") + 1);
  const manifest = await readFile(join(plane.service.data, "archives/backups", uuid, "manifest.json"), "utf8");
  return (JSON.parse(manifest) as { keyId: string }).keyId;
}

/** Starts the service again on its data, with other keys. */
async function restartWith(...held: readonly string[]): Promise<void> {
  const { cluster, service } = plane;
  await service.kill("SIGTERM");
  await writeKeys(...held);
  const flags = [`--namespace=${namespace}`, `--vault-namespace=${namespace}-vault`, `--encryption-keys=${keys}`];
  plane = new SmallControlPlane(namespace, cluster, await startService({ cluster, data: service.data, flags }));
}

function writeKeys(...held: readonly string[]): Promise<void> {
  return writeFile(keys, `${held.join("\n")}\n`, { mode: 0o600 });
}
