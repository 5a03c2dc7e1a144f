import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { expect, test } from "vitest";
import { DrsError } from "../../../engine/errors.ts";
import type { JobKind } from "../../../engine/model.ts";
import { Database } from "../../../engine/store/database.ts";
import { openStore } from "../../../engine/store/store.ts";
import { newBackup, temporaryFolder, temporaryStore } from "./temporary-store.ts";

const databaseModule = new URL("../../../engine/store/database.ts", import.meta.url).href;
const migrations = new URL("../../../engine/store/migrations/", import.meta.url).pathname;

function failure(work: () => unknown): DrsError {
  try {
    work();
  } catch (error) {
    if (error instanceof DrsError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("an empty file becomes a database, and what was kept is there when it is opened again", () => {
  const file = join(temporaryFolder(), "deep", "drs.db");
  const first = openStore(file);
  first.jobs.insert(newBackup(1));
  first.database.close();
  const second = openStore(file);
  expect(second.jobs.get(newBackup(1).crn)).toMatchObject({ ...newBackup(1), seq: 1, step: "PHASE", recoveries: 0 });
  second.database.close();
});

test("nobody but the service's user can read the bookkeeping", () => {
  const folder = join(temporaryFolder(), "data");
  const store = openStore(join(folder, "drs.db"));
  store.jobs.insert(newBackup(1));
  const modes = readdirSync(folder).map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8));
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(modes.length).toBeGreaterThan(1);
  expect(new Set(modes)).toEqual(new Set(["600"]));
  store.database.close();
});

test("a second process is refused and told which file is in use", () => {
  const file = join(temporaryFolder(), "drs.db");
  const store = openStore(file);
  const program = `import(${JSON.stringify(databaseModule)}).then(({ Database }) => new Database(process.argv[1]))
    .catch((error) => { console.log(error.code, error.message); process.exit(3); })`;
  const second = spawnSync(process.execPath, ["-e", program, file], { encoding: "utf8" });
  expect(second.stdout).toContain(`FAILED_PRECONDITION database ${file}: another process uses the file`);
  expect(second.status).toBe(3);
  store.jobs.insert(newBackup(1));
  store.database.close();
});

test("a database of a newer program is refused and left alone", () => {
  const file = join(temporaryFolder(), "drs.db");
  new Database(file).close();
  const sqlite = new Sqlite(file);
  sqlite.pragma("user_version = 99");
  sqlite.close();
  const error = failure(() => new Database(file));
  expect(error.code).toBe("FAILED_PRECONDITION");
  expect(error.message).toMatch(/drs\.db is of version 99.*start a newer/u);
});

test("a file that is no database is refused by name", () => {
  const file = join(temporaryFolder(), "drs.db");
  writeFileSync(file, "not a database, but long enough to look like something else ".repeat(40));
  const error = failure(() => new Database(file));
  expect(error.code).toBe("DATA_LOSS");
  expect(error.message).toContain(file);
});

test("a full disk is RESOURCE_EXHAUSTED, names the file, and undoes the transaction", () => {
  const store = temporaryStore();
  store.database.prepare<object, object>("PRAGMA max_page_count = 40").all({});
  const error = failure(() =>
    store.database.transaction(() => {
      for (let number = 1; number < 5_000; number += 1) store.jobs.insert(newBackup(number));
    }),
  );
  expect(error.code).toBe("RESOURCE_EXHAUSTED");
  expect(error.message).toContain(store.database.file);
  expect(error.message).toContain("disk full");
  expect(store.jobs.get(newBackup(1).crn)).toBeUndefined();
});

test("a transaction that throws leaves nothing behind and passes its error on", () => {
  const store = temporaryStore();
  const error = new TypeError("mine");
  const work = () =>
    store.database.transaction(() => {
      store.jobs.insert(newBackup(1));
      throw error;
    });
  expect(work).toThrow(error);
  expect(store.jobs.get(newBackup(1).crn)).toBeUndefined();
  // @ts-expect-error a transaction ends when its function returns, so it takes no promise
  const refused = () => store.database.transaction(async () => Promise.resolve());
  expect(refused).toThrow(/promise/u);
});

test("the jobs of a database that knew three kinds keep all they have, and others may be recorded", () => {
  const file = join(temporaryFolder(), "drs.db");
  const sqlite = new Sqlite(file);
  for (const name of readdirSync(migrations).sort().slice(0, 8))
    sqlite.exec(readFileSync(join(migrations, name), "utf8"));
  sqlite.pragma("user_version = 8");
  const columns = "crn, kind, name, display_name, requested_name, backup_crn, entity, item_name, state, phase";
  const insert = sqlite.prepare(
    `INSERT INTO job (${columns}, included_namespaces, caller_name, request_id, created_ms, updated_ms)
    VALUES (?, 'backup', ?, 'one', '', 'b', 'cdp', '', 'COMPLETED', 'FINISHED', '["cdp"]', 'alice', '', 1, 2)`,
  );
  for (const name of ["first", "second", "third"]) insert.run(name, name);
  sqlite.exec(`INSERT INTO note (job, key, value) VALUES (2, 'volume/cdp/data', '{}')`);
  sqlite.exec(`INSERT INTO message (job, level, namespace, text, time_ms) VALUES (2, 'warning', 'cdp', 'told', 3)`);
  sqlite.exec("DELETE FROM job WHERE seq = 3");
  sqlite.close();
  const store = openStore(file);
  expect(store.jobs.get("second")).toMatchObject({ seq: 2, displayName: "one", includedNamespaces: ["cdp"] });
  expect([...store.notes.entries(2, "")]).toEqual([["volume/cdp/data", {}]]);
  expect(store.messages.list(2)).toMatchObject([{ text: "told" }]);
  expect(store.jobs.insert(newBackup(4, { kind: "copy" as JobKind })).seq).toBe(4);
  store.jobs.removeBackup("b");
  expect([...store.notes.entries(2, "")]).toEqual([]);
  store.database.close();
});
