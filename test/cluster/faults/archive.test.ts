import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chanceFrom, chooseSeed } from "../crash/chance.ts";
import type { SmallControlPlane } from "../fidelity/support.ts";
import { openBackup } from "../support/archives.ts";
import { aRunningControlPlane, release, takePictureOf, touchedSince } from "./scene.ts";

const damages = 1_000;
/** So many of them are met by a restore, the others by what its PRE_VALIDATION proves an archive with. */
const restores = 20;

let plane: SmallControlPlane;
let archives: string;
let backup: string;
let other: string;
beforeAll(async () => {
  plane = await aRunningControlPlane("archive");
  await plane.backUp();
  other = uuidOf(plane.backupCrn);
  await release(plane, 2);
  await plane.backUp();
  backup = uuidOf(plane.backupCrn);
  archives = join(plane.service.data, "archives");
});
afterAll(() => plane?.remove());

test(`${damages} random damages of an archive are all found before anything is touched`, async () => {
  const chance = chanceFrom(chooseSeed("damages of the archive"));
  const folder = join(archives, "backups", backup);
  const whole = join(plane.service.data, "whole");
  await cp(folder, whole, { recursive: true });
  const files = ["manifest.json", "manifest.json.sha256"].concat(
    (await readdir(join(folder, "objects"))).map((name) => `objects/${name}`),
  );
  const before = await takePictureOf(plane);
  const missed: string[] = [];
  for (let n = 0; n < damages; n++) {
    const file = files[chance.between(0, files.length - 1)]!;
    const what = await damage(file);
    if (n % (damages / restores) === 0) {
      const { errors } = await plane.restore({ state: "FAILED" });
      if (!/manifest\.json|\.ndjson\.zst/.test(errors.join())) missed.push(`${what}: ${errors.join()}`);
    } else if (await isWhole()) missed.push(what);
    await cp(join(whole, file), join(folder, file));
  }
  expect(missed).toEqual([]);
  expect(await touchedSince(before, plane)).toEqual([]);
  expect(await isWhole()).toBe(true);

  async function damage(file: string): Promise<string> {
    const path = join(folder, file);
    const bytes = await readFile(path);
    const at = chance.between(0, bytes.length - 1);
    switch (chance.between(0, 9)) {
      case 0:
        await rm(path);
        return `${file} missing`;
      case 1:
        await writeFile(path, bytes.subarray(0, at));
        return `${file} cut at ${at}`;
      case 2: {
        const foreign = await readFile(join(archives, "backups", other, file)).catch(() => Buffer.from("no such part"));
        if (foreign.equals(bytes)) return damage(file); // a part that has not changed is no damage
        await writeFile(path, foreign);
        return `${file} of another backup`;
      }
      default:
        bytes[at] = bytes[at]! ^ (1 << chance.between(0, 7));
        await writeFile(path, bytes);
        return `${file} changed at ${at}`;
    }
  }
});

async function isWhole(): Promise<boolean> {
  const { signal } = new AbortController();
  return openBackup(plane.service.data, plane.backupCrn)
    .then((reader) => reader.verify(signal))
    .then(
      () => true,
      () => false,
    );
}

function uuidOf(crn: string): string {
  return crn.slice(crn.lastIndexOf(":") + 1);
}
