import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";
import { translateFileError } from "../../../engine/storage/file-error.ts";
import { archiveStorageContract } from "../../contract/archive-storage.ts";

const { signal } = new AbortController();
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "drs-storage-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

archiveStorageContract("a folder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drs-storage-"));
  return new FilesystemArchiveStorage(join(folder, "made", "when", "missing"));
});

async function* bytes(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

test("only the service's user may read files and folders", async () => {
  await new FilesystemArchiveStorage(root).write("backups/a/file", bytes("secret"), signal);
  const mode = async (path: string): Promise<number> => (await stat(join(root, path))).mode & 0o777;
  expect(await mode("backups/a/file")).toBe(0o600);
  expect(await mode("backups/a")).toBe(0o700);
  expect(await mode("backups")).toBe(0o700);
});

test("a failed or cancelled write leaves no file and no folder", async () => {
  const storage = new FilesystemArchiveStorage(root);
  const cancel = new AbortController();
  async function* cancelled(): AsyncGenerator<Buffer> {
    yield Buffer.from("some");
    cancel.abort();
    yield Buffer.from("more");
  }
  await expect(storage.write("a/b/c", cancelled(), cancel.signal)).rejects.toMatchObject({ name: "AbortError" });
  await storage.write("occupied", bytes("a file"), signal);
  await expect(storage.write("occupied/below", bytes("x"), signal)).rejects.toMatchObject({ code: "INTERNAL" });
  await mkdir(join(root, "folder", "below"), { recursive: true });
  await expect(storage.write("folder/below", bytes("x"), signal)).rejects.toMatchObject({
    message: expect.stringContaining("folder/below"),
  });
  const left = (await readdir(root, { recursive: true })).sort();
  expect(left).toEqual([".unfinished", "folder", "folder/below", "occupied"]);
});

test("what a killed process left is never listed, and goes with the next check once it is old", async () => {
  const storage = new FilesystemArchiveStorage(root);
  await storage.write("backups/a/file", bytes("x"), signal);
  const leftover = join(root, ".unfinished", "left");
  await writeFile(leftover, "half");
  await writeFile(join(root, ".unfinished", "running"), "being written by another process");
  await utimes(leftover, new Date(0), new Date(0));
  expect(await Array.fromAsync(storage.list("backups/", signal))).toEqual(["backups/a/file"]);
  await storage.check(signal);
  expect(await readdir(join(root, ".unfinished"))).toEqual(["running"]);
});

test("a full disk is RESOURCE_EXHAUSTED and names the file", async () => {
  const full = await writeFile("/dev/full", "x").catch((error: unknown) => error); // Linux's own full disk
  expect(translateFileError(full, "folder /data", "a/b")).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    message: expect.stringContaining("a/b in folder /data"),
  });
});

test("a file that its user may not use is PERMISSION_DENIED and names the file", () => {
  // As the file system throws it; the superuser never gets it.
  const denied = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES", syscall: "open" });
  expect(translateFileError(denied, "folder /data", "a/b")).toMatchObject({
    code: "PERMISSION_DENIED",
    message: expect.stringContaining("a/b in folder /data may not be used"),
  });
});

test.skipIf(process.getuid?.() === 0)("a folder without the right to write is PERMISSION_DENIED", async () => {
  await chmod(root, 0o500);
  const storage = new FilesystemArchiveStorage(root);
  await expect(storage.check(signal)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  await chmod(root, 0o700);
});

test("a folder that vanishes is UNAVAILABLE and not recreated, whether an empty one is left in its place or none", async () => {
  const storage = new FilesystemArchiveStorage(root);
  await storage.write("backups/a/file", bytes("x"), signal);
  const gone = { code: "UNAVAILABLE", message: expect.stringContaining(`folder ${root} is`) };
  async function* vanishing(): AsyncGenerator<Buffer> {
    yield Buffer.from("begun");
    await rename(root, `${root}.away`);
  }
  await expect(storage.write("backups/a/other", vanishing(), signal)).rejects.toMatchObject(gone);
  for (const leaveNothing of [true, false]) {
    if (!leaveNothing) await mkdir(root);
    await expect(storage.write("backups/a/other", bytes("y"), signal)).rejects.toMatchObject(gone);
    await expect(storage.check(signal)).rejects.toMatchObject(gone);
    await expect(storage.read("backups/a/file", signal)).rejects.toMatchObject(gone);
    await expect(storage.delete("backups/a/file", signal)).rejects.toMatchObject(gone);
    expect(await readdir(root).catch(() => "no folder")).toEqual(leaveNothing ? "no folder" : []);
  }
  await rename(`${root}.away`, root);
  await storage.write("backups/a/other", bytes("y"), signal);
  expect(await Array.fromAsync(storage.list("backups/", signal))).toEqual(["backups/a/file", "backups/a/other"]);
});

test("a folder that cannot be made when it is opened is made when it is used", async () => {
  await writeFile(join(root, "in-the-way"), "");
  const storage = new FilesystemArchiveStorage(join(root, "in-the-way"));
  await expect(storage.open()).rejects.toThrow("in-the-way");
  await rm(join(root, "in-the-way"));
  await storage.write("backups/a/file", bytes("x"), signal);
  expect(await storage.size("backups/a/file", signal)).toBe(1);
});
