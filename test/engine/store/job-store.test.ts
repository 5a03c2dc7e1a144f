import { expect, test } from "vitest";
import { JobConflictError } from "../../../engine/store/store-errors.ts";
import type { Store } from "../../../engine/store/store.ts";
import type { NewJob } from "../../../engine/store/job-record.ts";
import { crnOf, newBackup, temporaryStore } from "./temporary-store.ts";

const all = { kind: "backup", states: [], displayName: "", backupCrn: "" } as const;
const now = new Date("2026-11-23T20:00:00Z");

test("lists are newest first, and jobs of one millisecond in order of arrival", () => {
  const { jobs } = temporaryStore();
  const createdAt = newBackup(2).createdAt;
  for (const number of [2, 1, 3]) jobs.insert(newBackup(number));
  jobs.insert(newBackup(4, { createdAt }));
  expect(jobs.list(all, { limit: 10 }).map((job) => job.displayName)).toEqual([
    "Backup 3",
    "Backup 4",
    "Backup 2",
    "Backup 1",
  ]);
});

test("lists are filtered by name, by states and by backup", () => {
  const { jobs } = temporaryStore();
  jobs.insert(newBackup(1, { state: "COMPLETED", displayName: "nightly" }));
  jobs.insert(newBackup(2, { state: "FAILED", displayName: "nightly" }));
  jobs.insert(newBackup(3, { displayName: "nightly" }));
  jobs.insert(newBackup(4, { state: "FAILED" }));
  jobs.insert(newBackup(5, { kind: "restore", crn: crnOf("restore", 5), backupCrn: crnOf("backup", 1) }));
  jobs.insert(newBackup(6, { kind: "restore", crn: crnOf("restore", 6), backupCrn: crnOf("backup", 2) }));
  const numbers = (filter: Partial<Parameters<typeof jobs.list>[0]>) =>
    jobs.list({ ...all, ...filter }, { limit: 10 }).map(({ crn }) => Number(crn.slice(-3)));
  expect(numbers({ displayName: "nightly" })).toEqual([3, 2, 1]);
  expect(numbers({ states: ["FAILED", "COMPLETED"] })).toEqual([4, 2, 1]);
  expect(numbers({ displayName: "nightly", states: ["FAILED"] })).toEqual([2]);
  expect(numbers({ displayName: "weekly" })).toEqual([]);
  expect(numbers({ kind: "restore" })).toEqual([6, 5]);
  expect(numbers({ kind: "restore", backupCrn: crnOf("backup", 1) })).toEqual([5]);
});

test("pages of a list follow one another in every filter, without gaps and without jobs twice", () => {
  const { jobs } = temporaryStore();
  const states = ["COMPLETED", "FAILED", "PARTIALLY_FAILED"] as const;
  const createdAt = newBackup(1).createdAt;
  for (let number = 1; number <= 90; number += 1) {
    const backup = newBackup(number, { state: states[number % 3] ?? "COMPLETED", displayName: `Backup ${number % 2}` });
    // Every tenth was created in the same millisecond as the others of its kind.
    jobs.insert(number % 10 === 0 ? { ...backup, createdAt } : backup);
  }
  for (const filter of [
    {},
    { displayName: "Backup 1" },
    { states: ["FAILED"] as const },
    { states: ["FAILED", "COMPLETED", "FAILED"] as const },
    { states: ["PARTIALLY_FAILED", "COMPLETED"] as const, displayName: "Backup 0" },
  ]) {
    const whole = jobs.list({ ...all, ...filter }, { limit: 100 });
    expect(new Set(whole.map(({ crn }) => crn)).size).toBe(whole.length);
    const paged = [];
    for (let page = jobs.list({ ...all, ...filter }, { limit: 7 }); page.length > 0;) {
      paged.push(...page);
      const last = page.at(-1);
      const after = last && { createdMs: last.createdAt.getTime(), seq: last.seq };
      page = jobs.list({ ...all, ...filter }, { after, limit: 7 });
    }
    expect(paged).toEqual(whole);
  }
});

test("finding few jobs among 100,000 takes about as long as among 100", () => {
  const small = temporaryStore();
  const large = temporaryStore();
  fill(small, 100);
  fill(large, 100_000);
  for (const filter of [
    { displayName: "Backup 50" },
    { states: ["FAILED"] as const },
    { states: ["COMPLETED"] as const, displayName: "Backup 50" },
    { backupCrn: crnOf("backup", 50) },
    { states: ["COMPLETED"] as const, backupCrn: crnOf("backup", 50) },
  ]) {
    const expected = small.jobs.list({ ...all, ...filter }, { limit: 10 }).length;
    expect(expected).toBeGreaterThan(0);
    expect(large.jobs.list({ ...all, ...filter }, { limit: 10 })).toHaveLength(expected);
    const few = fastest(() => small.jobs.list({ ...all, ...filter }, { limit: 10 }));
    const many = fastest(() => large.jobs.list({ ...all, ...filter }, { limit: 10 }));
    expect(many).toBeLessThan(few * 20 + 1);
  }
  const kinds = ["backup", "restore", "deletion"] as const;
  expect(fastest(() => large.queue.next(kinds))).toBeLessThan(fastest(() => small.queue.next(kinds)) * 20 + 1);
}, 60_000);

function fill(store: Store, count: number): void {
  store.database.transaction(() => {
    for (let number = 1; number <= count; number += 1) {
      store.jobs.insert(newBackup(number, { state: number === 7 || number === 77 ? "FAILED" : "COMPLETED" }));
    }
  });
}

function fastest(work: () => unknown): number {
  const times = Array.from({ length: 20 }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return Math.min(...times);
}

test("a change that expects another state does not happen", () => {
  const { jobs, queue } = temporaryStore();
  const waiting = jobs.insert(newBackup(1));
  const running = queue.start(waiting, "PRE_VALIDATION", now);
  expect(() => queue.start(waiting, "PRE_VALIDATION", now)).toThrow(JobConflictError);
  queue.move(running, { phase: "SAVING_OBJECTS", step: "PHASE" }, now);
  expect(() => queue.move(running, { phase: "CREATING_SNAPSHOTS", step: "PHASE" }, now)).toThrow(JobConflictError);
  expect(() => jobs.removeWaiting(waiting.crn)).toThrow(JobConflictError);
  expect(() => jobs.terminate(waiting.crn, now)).toThrow(JobConflictError);
  expect(jobs.get(waiting.crn)).toMatchObject({ state: "IN_PROGRESS", phase: "SAVING_OBJECTS", updatedAt: now });
});

test("a removed backup takes its restores, messages, logs and notes along, and leaves its deletions", () => {
  const { database, jobs, messages, logs, notes } = temporaryStore();
  const backup = jobs.insert(newBackup(1, { state: "COMPLETED" }));
  const restore = jobs.insert(newBackup(2, { kind: "restore", crn: crnOf("restore", 2), backupCrn: backup.crn }));
  const deletion = jobs.insert(
    newBackup(3, { kind: "deletion", crn: crnOf("deleteBackup", 3), backupCrn: backup.crn }),
  );
  const other = jobs.insert(newBackup(4));
  for (const { seq } of [backup, restore, deletion, other]) {
    messages.add(seq, { level: "warning", namespace: "cdp", text: "careful", time: now });
    logs.add(seq, { level: "info", phase: "PENDING", text: "hello", time: now });
    notes.setAll(seq, [["replicas", 3]]);
  }
  jobs.removeBackup(backup.crn);
  const left = [backup, restore, deletion, other].filter(({ crn }) => jobs.get(crn) !== undefined);
  expect(left).toEqual([deletion, other]);
  for (const table of ["message", "log_line", "note"]) {
    const rows = database.prepare<object, { job: number }>(`SELECT job FROM ${table} ORDER BY job`).all({});
    expect(rows.map(({ job }) => job)).toEqual([deletion.seq, other.seq]);
  }
});

test("the records of deletions do not grow for ever", () => {
  const { database, jobs, logs } = temporaryStore();
  const end = newBackup(10_000).createdAt;
  const dayMs = 86_400_000;
  const deletion = (number: number, days: number, more: Partial<NewJob> = {}) => {
    const at = new Date(end.getTime() - days * dayMs);
    const crn = crnOf("deleteBackup", number);
    const gone = { kind: "deletion", crn, backupCrn: crnOf("backup", number), state: "COMPLETED" } as const;
    const { seq } = jobs.insert(newBackup(number, { ...gone, createdAt: at, updatedAt: at, ...more }));
    logs.add(seq, { time: at, level: "info", phase: "FINISHED", text: "deleted" });
    return crn;
  };
  const left = (crns: readonly string[]) => crns.filter((crn) => jobs.get(crn) !== undefined);
  jobs.insert(newBackup(1, { state: "TERMINATING" }));
  const failedOfABackup = deletion(1, 50, { state: "FAILED" });
  const unfinished = deletion(2, 50, { state: "IN_PROGRESS" });
  const old = [deletion(3, 31), deletion(4, 40, { state: "FAILED" })];
  const older = Array.from({ length: 5 }, (_, index) => deletion(10 + index, 20));
  database.transaction(() => {
    for (let number = 0; number < 998; number += 1) deletion(100 + number, 2);
  });
  jobs.forgetDeletions(end);
  expect(left(old)).toEqual([]);
  expect(left(older)).toEqual(older.slice(-2));
  expect(left([failedOfABackup, unfinished])).toEqual([failedOfABackup, unfinished]);
  const lines = database.prepare<object, { count: number }>("SELECT count(*) AS count FROM log_line").get({});
  expect(lines?.count).toBe(1_002);
  database.transaction(() => {
    for (let number = 0; number < 50; number += 1) deletion(2_000 + number, 0);
  });
  jobs.forgetDeletions(end);
  expect(left([deletion(3_000, 0.5), crnOf("deleteBackup", 2_000)])).toHaveLength(2);
});

test("notes are read by prefix in key order, while they are changed", () => {
  const { jobs, notes } = temporaryStore();
  const { seq } = jobs.insert(newBackup(1));
  const other = jobs.insert(newBackup(2));
  notes.setAll(
    seq,
    Array.from({ length: 1_200 }, (_, index) => [`pod/${String(index).padStart(4, "0")}`, { index }] as const),
  );
  notes.setAll(seq, [
    ["pod", "no"],
    ["pod0", "no"],
    ["pod/é\u{1F600}", { index: 1_200 }],
  ]);
  notes.setAll(other.seq, [["pod/0000", { index: -1 }]]);
  const seen: number[] = [];
  for (const [key, { index }] of notes.entries<{ index: number }>(seq, "pod/")) {
    seen.push(index);
    notes.setAll(seq, [[key, { index: index + 5_000 }]]);
  }
  expect(seen).toEqual(Array.from({ length: 1_201 }, (_, index) => index));
  expect(notes.get(seq, "pod/0007")).toEqual({ index: 5_007 });
  notes.clear(seq, "pod/");
  expect([...notes.entries(seq, "")].map(([key]) => key)).toEqual(["pod", "pod0"]);
  expect(notes.get(other.seq, "pod/0000")).toEqual({ index: -1 });
});

test("jobs are counted by kind, state and item, with the time of the latest", () => {
  const { jobs } = temporaryStore();
  expect(jobs.counts()).toEqual([]);
  for (const number of [1, 3, 2]) jobs.insert(newBackup(number, { state: "COMPLETED" }));
  jobs.insert(newBackup(4, { itemName: "vault-system" }));
  const { createdAt } = newBackup(3);
  expect(jobs.counts()).toEqual([
    { kind: "backup", state: "COMPLETED", item: "cdp", count: 3, lastUpdated: createdAt },
    { kind: "backup", state: "NOT_STARTED", item: "vault-system", count: 1, lastUpdated: newBackup(4).createdAt },
  ]);
});
