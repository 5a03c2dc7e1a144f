import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ArchiveWriter } from "../../engine/archive/archive-writer.ts";
import { FilesystemArchiveStorage } from "../../engine/storage/filesystem-archive-storage.ts";
import { gate, idle, job } from "./jobs/small-jobs.ts";
import { backupReaches, manifestOf, smallEngine } from "./small-engine.ts";
import { crnOf, temporaryFolder } from "./store/temporary-store.ts";

const elsewhere = crnOf("backup", 1).replace("acme", "another-account");
const everything = { backupName: "", jobStates: [], pageSize: 0, startingToken: "" };
const signal = new AbortController().signal;

async function* oneByte(): AsyncGenerator<Buffer> {
  yield Buffer.from("x");
}

async function saveArchive(folder: string, crn: string): Promise<void> {
  const storage = new FilesystemArchiveStorage(join(folder, "archives"));
  await new ArchiveWriter(storage, `backups/${crn.slice(-36)}`).writeManifest(manifestOf(crn), signal);
}

test("a service with an empty database lists the backups in its storage and restores them", async () => {
  const folder = temporaryFolder();
  await saveArchive(folder, elsewhere);
  const engine = await smallEngine(folder);
  expect(engine.listBackups(everything).items).toHaveLength(1);
  expect(engine.describeBackup(elsewhere)).toEqual({
    crn: elsewhere,
    name: "from elsewhere",
    job: `backup-${elsewhere.slice(-36)}`,
    state: "PARTIALLY_FAILED",
    phase: "FINISHED",
    includedNamespaces: ["cdp", "vault-system"],
    createdAt: new Date("2026-01-02T03:04:05.678Z"),
    updatedAt: new Date("2026-01-02T03:05:05.678Z"),
    warnings: [
      { namespace: "cdp", text: "claim data has no snapshot", timestamp: new Date("2026-01-02T03:04:30.000Z") },
    ],
    errors: [],
  });
  expect(engine.getLogs(elsewhere)).toContain(`found in storage, in backups/${elsewhere.slice(-36)}`);
  const restore = await engine.restoreBackup({ backupCrn: elsewhere, caller: { name: "", requestId: "" } });
  expect(engine.describeRestore(restore).includedNamespaces).toEqual(["cdp", "vault-system"]);
});

test("a damaged archive is logged and does not keep the service from starting, nor the others from being found", async () => {
  const folder = temporaryFolder();
  await saveArchive(folder, elsewhere);
  const damaged = join(folder, "archives", "backups", crnOf("backup", 2).slice(-36));
  mkdirSync(damaged, { recursive: true });
  writeFileSync(join(damaged, "manifest.json"), "{");
  const warn = vi.fn();
  const engine = await smallEngine(folder, { logger: { info() {}, warn, error() {} } });
  expect(engine.listBackups(everything).items.map(({ crn }) => crn)).toEqual([elsewhere]);
  expect(warn).toHaveBeenCalledWith(
    expect.objectContaining({ folder: `backups/${crnOf("backup", 2).slice(-36)}` }),
    expect.any(String),
  );
});

test("safety archives and half-made backups that belong to no job are reported at the start, and left alone", async () => {
  const folder = temporaryFolder();
  await saveArchive(folder, elsewhere);
  const own = await smallEngine(folder);
  const restore = await own.restoreBackup({ backupCrn: elsewhere, caller: { name: "", requestId: "" } });
  const backup = await own.createBackup({ backupName: "", itemName: "", caller: { name: "", requestId: "" } });
  await own.close();
  const [known, foreign] = [restore.slice(-36), crnOf("restore", 7).slice(-36)];
  const storage = new FilesystemArchiveStorage(join(folder, "archives"));
  const names = [`safety/${known}`, `safety/${foreign}`, `backups/${backup.slice(-36)}`, `backups/${foreign}`];
  for (const name of names) await storage.write(`${name}/objects/core.v1.secrets.ndjson.zst`, oneByte(), signal);
  const warn = vi.fn();
  await smallEngine(folder, { logger: { info() {}, warn, error() {} } });
  expect(warn.mock.calls).toEqual(
    [`safety/${foreign}`, `backups/${foreign}`].map((name) => [
      { folder: name, code: "DRS-A013" },
      expect.stringContaining("belongs to no job of this service"),
    ]),
  );
  expect(await Array.fromAsync(storage.list("safety/", signal))).toHaveLength(2);
});

test("what the database knows is not taken over again, and what was deleted stays deleted", async () => {
  const folder = temporaryFolder();
  await saveArchive(folder, elsewhere);
  const first = await smallEngine(folder);
  await first.close();
  const storage = new FilesystemArchiveStorage(join(folder, "archives"));
  const deletion = job({
    DELETING_ARCHIVE: ({ job: { backupCrn } }) =>
      new ArchiveWriter(storage, `backups/${backupCrn.slice(-36)}`).delete(signal),
  });
  const second = await smallEngine(folder, {
    definitions: { backup: idle, restore: idle, deletion, copy: idle, upkeep: idle },
  });
  expect(second.listBackups(everything).items).toHaveLength(1);
  await second.deleteBackup({ backupCrn: elsewhere, caller: { name: "", requestId: "" } });
  await backupReaches(second, elsewhere, "NOT_FOUND");
  await second.close();
  const third = await smallEngine(folder);
  expect(third.listBackups(everything).items).toEqual([]);
});

test("a storage that cannot be reached at the start is searched again later, and the service serves meanwhile", async () => {
  const folder = temporaryFolder();
  await saveArchive(folder, elsewhere);
  const real = new FilesystemArchiveStorage(join(folder, "archives"));
  let reachable = false;
  const storage = new Proxy(real, {
    get: (target, name) => {
      if (name === "listFolder" && !reachable) return () => Promise.reject(new Error("no route to host"));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const engine = await smallEngine(folder, { storage, random: () => 0 });
  expect(engine.isHealthy()).toBe(true);
  expect(engine.listBackups(everything).items).toEqual([]);
  reachable = true;
  await vi.waitFor(() => expect(engine.listBackups(everything).items).toHaveLength(1), 10_000);
});

test("a job that a shutdown interrupted goes on in the next engine", async () => {
  const folder = temporaryFolder();
  const began = gate();
  const backup = job({
    SAVING_OBJECTS: ({ signal }) => {
      began.open();
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
      });
    },
  });
  const first = await smallEngine(folder, {
    definitions: { backup, restore: idle, deletion: idle, copy: idle, upkeep: idle },
  });
  const crn = await first.createBackup({ backupName: "", itemName: "", caller: { name: "", requestId: "" } });
  await began.opened;
  await first.close();
  expect(first.isHealthy()).toBe(false);
  const finishes = {
    backup: job({ SAVING_OBJECTS: () => {} }),
    restore: idle,
    deletion: idle,
    copy: idle,
    upkeep: idle,
  };
  const second = await smallEngine(folder, { definitions: finishes });
  await backupReaches(second, crn, "COMPLETED");
  expect(second.getLogs(crn)).toContain("continued after a restart in SAVING_OBJECTS");
});

test("a start with a database that cannot be used names it and leaves nothing open", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "drs.db"), "no database ".repeat(1_000));
  await expect(smallEngine(folder)).rejects.toThrow(join(folder, "drs.db"));
  rmSync(join(folder, "drs.db"));
  const engine = await smallEngine(folder);
  expect(engine.isHealthy()).toBe(true);
});
