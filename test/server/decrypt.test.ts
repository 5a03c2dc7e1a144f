import { execFile, execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { zstdDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { ArchiveReader } from "../../engine/archive/archive-reader.ts";
import { readKeyFile } from "../../engine/encryption/key-file.ts";
import { FilesystemArchiveStorage } from "../../engine/storage/filesystem-archive-storage.ts";
import { configMaps, manifestOf, stream, writeArchive } from "../engine/archive/archive-fixture.ts";
import { ArchiveWriter } from "../../engine/archive/archive-writer.ts";
import { temporaryFolder } from "../engine/store/temporary-store.ts";

const { signal } = new AbortController();
const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

const secret = (letter: string): string => Buffer.alloc(32, letter).toString("base64");

/** An encrypted archive in `archives` and its file of keys, the key that was used being the older one. */
async function encrypted() {
  const folder = temporaryFolder();
  const keyFile = join(folder, "keys");
  await writeFile(keyFile, `old ${secret("o")}\n`);
  const storage = new FilesystemArchiveStorage(join(folder, "archives"));
  const keys = await readKeyFile(keyFile);
  await writeFile(keyFile, `# rotated\nnew ${secret("n")}\nold ${secret("o")}\n`);
  return { folder, keyFile, storage, keys };
}

test("npm run decrypt makes an archive that is read by hand, and refuses with the reason", async () => {
  const { folder, keyFile, storage, keys } = await encrypted();
  const manifest = await writeArchive(storage, "a", 50, keys);
  const decrypt = (file: string, to = join(folder, "plain")) =>
    run(process.execPath, [
      join(root, "server/decrypt.ts"),
      `--encryption-keys=${file}`,
      `--to=${to}`,
      join(folder, "archives/backups/a"),
    ]);
  expect((await decrypt(keyFile)).stdout).toBe(`${join(folder, "plain/backups/a")}\n`);
  const byHand = (command: string) =>
    execFileSync("sh", ["-c", command], { cwd: join(folder, "plain/backups/a") }).toString();
  expect(byHand("sha256sum -c manifest.json.sha256")).toBe("manifest.json: OK\n");
  const plain = await ArchiveReader.open(new FilesystemArchiveStorage(join(folder, "plain")), "backups/a", signal);
  await plain.verify(signal);
  expect(plain.manifest.volumes).toEqual(manifest.volumes);
  expect(plain.parts.map(({ file, objects }) => [file, objects])).toEqual([
    ["objects/core.v1.configmaps.ndjson.zst", 50],
    ["objects/apps.v1.deployments.ndjson.zst", 50],
  ]);
  const help = await run(process.execPath, [join(root, "server/decrypt.ts"), "--help"]);
  expect(help.stdout).toMatch(/^Usage: npm run decrypt -- \[options\] <archive>\n/);
  await expect(decrypt(keyFile, keyFile)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: DRS-S001 folder .*keys cannot hold archives: .*; correct that, .* --to\n$/),
  });
  const other = join(folder, "other");
  await writeFile(other, `new ${Buffer.alloc(32).toString("base64")}\n`);
  await expect(decrypt(other)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: DRS-A005 backups\/a\/manifest\.json is encrypted with key old .*\n$/),
  });
});

test("the program in docs/archive-format.md decrypts a manifest and a part of several chunks", async () => {
  const { folder, keyFile, storage, keys } = await encrypted();
  const objects = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ i, noise: Math.sin(i) }));
  const writer = new ArchiveWriter(storage, "backups/a", keys);
  const part = await writer.writePart(configMaps, stream(objects), signal);
  const manifest = manifestOf("a", part ? [part] : []);
  await writer.writeManifest(manifest, signal);
  expect(part?.size).toBeGreaterThan(3 * 65_536);

  const page = await readFile(join(root, "docs/archive-format.md"), "utf8");
  const [program = ""] = /^ {4}\/\/ unseal\.mjs(?:.*\n)(?: {4}.*\n)+/m.exec(page) ?? [];
  await writeFile(join(folder, "unseal.mjs"), program);
  const unseal = async (file: string): Promise<string> => {
    const args = [join(folder, "unseal.mjs"), keyFile, join(folder, "archives/backups/a", file)];
    const { stdout } = await run(process.execPath, args, { encoding: "buffer", maxBuffer: 2 ** 26 });
    return zstdDecompressSync(stdout).toString();
  };
  expect(JSON.parse(await unseal("manifest.json"))).toEqual(manifest);
  expect(await unseal(part?.file ?? "")).toBe(objects.map((object) => `${object}\n`).join(""));
});
