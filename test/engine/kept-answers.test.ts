import { expect, test } from "vitest";
import { KeptAnswers } from "../../engine/operations/kept-answers.ts";
import type { Store } from "../../engine/store/store.ts";
import { newBackup, temporaryStore } from "./store/temporary-store.ts";

/** Asks for the names of all backups, and counts how often they are read. */
function asker({ database, jobs }: Store) {
  const answers = new KeptAnswers(database);
  const counted = { reads: 0 };
  const read = () => {
    counted.reads += 1;
    const filter = { kind: "backup", states: [], displayName: "", backupCrn: "" } as const;
    return jobs.list(filter, { limit: 1_000 }).map(({ displayName }) => displayName);
  };
  return Object.assign(counted, { ask: () => answers.get("names", read, (names) => names.length) });
}

test("an answer is read once, and again when something was written", () => {
  const store = temporaryStore();
  const names = asker(store);
  store.jobs.insert(newBackup(1));
  expect([names.ask(), names.ask()]).toEqual([["Backup 1"], ["Backup 1"]]);
  expect(names.reads).toBe(1);
  store.jobs.insert(newBackup(2));
  expect(names.ask()).toEqual(["Backup 2", "Backup 1"]);
});

test("an answer from inside a transaction that is undone is not kept", () => {
  const store = temporaryStore();
  const names = asker(store);
  const undone = () =>
    store.database.transaction(() => {
      store.jobs.insert(newBackup(1));
      expect(names.ask()).toEqual(["Backup 1"]);
      throw new Error("undone");
    });
  expect(undone).toThrow("undone");
  expect(names.ask()).toEqual([]);
});

test("long answers are not kept, and neither are very many", () => {
  const store = temporaryStore();
  const long = asker(store);
  for (let number = 0; number <= 100; number += 1) store.jobs.insert(newBackup(number));
  long.ask();
  long.ask();
  expect(long.reads).toBe(2);

  const answers = new KeptAnswers(store.database);
  let reads = 0;
  const read = () => (reads += 1);
  for (let question = 0; question < 1_000; question += 1) answers.get(String(question), read, () => 1);
  answers.get("0", read, () => 1);
  expect(reads).toBe(1_001);
});
