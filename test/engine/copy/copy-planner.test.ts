import { expect, test } from "vitest";
import { CopyPlanner } from "../../../engine/copy/copy-planner.ts";
import { Intake } from "../../../engine/jobs/intake.ts";
import { messagesOfCopy } from "../../../engine/operations/messages-of-copy.ts";
import { silentLogger } from "../../../engine/logger.ts";
import type { JobState } from "../../../engine/model.ts";
import { engineConfig } from "../small-engine.ts";
import { newBackup, temporaryStore } from "../store/temporary-store.ts";

const hour = 3_600_000;

/** A store with a finished backup whose copy has ended so, and a planner whose clock can be set. */
function planned(ended: JobState, cancelledBy?: string) {
  const store = temporaryStore();
  let now = new Date("2026-11-30T10:00:00Z");
  const clock = () => now;
  const { controlPlane, restore, crn } = engineConfig("");
  const flags = { controlPlane, restore };
  const intake = new Intake({ store, wakeRunner: () => {}, clock, crn, flags, queuedJobs: 1 });
  const planner = new CopyPlanner({ store, clock, logger: silentLogger }, intake);
  const backup = store.jobs.insert(newBackup(1, { state: "COMPLETED", phase: "FINISHED" }));
  store.database.transaction(() => planner.afterEnd(backup, "COMPLETED"));
  const copy = store.copies.last(backup.crn);
  if (copy === undefined) throw new Error("no copy was recorded");
  const started = store.queue.start(copy, "COPYING_VOLUMES", now);
  if (cancelledBy !== undefined) store.queue.cancel(copy.seq, cancelledBy, now);
  store.queue.finish(started, ended, now);
  return {
    store,
    planner,
    backup,
    copy,
    after: (milliseconds: number) => {
      now = new Date(now.getTime() + milliseconds);
      planner.recordDue();
      return store.copies.last(backup.crn);
    },
  };
}

test.each(["PARTIALLY_FAILED", "FAILED"] as const)("a copy that ended %s is tried again after an hour", (state) => {
  const { copy, after, store } = planned(state);
  expect(after(hour - 1)?.crn).toBe(copy.crn);
  const again = after(2);
  expect([again?.state, again?.backupCrn, again?.origin]).toEqual(["NOT_STARTED", copy.backupCrn, "service"]);
  expect(again?.crn).not.toBe(copy.crn);
  expect(store.jobs.get(copy.crn)).toBeUndefined();
  expect(after(2 * hour)?.crn).toBe(again?.crn); // it waits
});

test("a copy is not tried again when all is copied and removed, whatever it warns of", () => {
  const { store, copy, after } = planned("PARTIALLY_FAILED");
  store.notes.setAll(copy.seq, [["uncopied", 0]]);
  expect(after(2 * hour)?.crn).toBe(copy.crn);
  store.notes.setAll(copy.seq, [["place/drs/1", { namespace: "drs", uuid: "1" }]]);
  expect(after(0)?.crn).not.toBe(copy.crn);
});

test("volumes that are not copied still count while their copy waits to be tried again", () => {
  const { store, copy, after } = planned("PARTIALLY_FAILED");
  store.notes.setAll(copy.seq, [["uncopied", 2]]);
  expect(after(2 * hour)?.state).toBe("NOT_STARTED");
  expect(store.copies.uncopiedVolumes()).toBe(2);
});

test("what a copy could not do is said until the one that repeats it is over", () => {
  const { store, copy, after } = planned("PARTIALLY_FAILED");
  const warning = { level: "warning", namespace: "cdp", text: "claim a was not copied", code: "DRS-V002" } as const;
  store.messages.add(copy.seq, { ...warning, time: copy.createdAt });
  const again = after(2 * hour);
  const said = () => messagesOfCopy(store, copy.backupCrn).map(({ text, time }) => [text, time]);
  expect(said()).toEqual([[warning.text, copy.createdAt]]);
  if (again === undefined) throw new Error("it was not recorded again");
  const started = store.queue.start(again, "COPYING_VOLUMES", new Date());
  expect(said()).toHaveLength(1);
  store.queue.finish(started, "COMPLETED", new Date());
  expect(said()).toEqual([]);
});

test("what a copy could not remove is for the one that repeats it", () => {
  const { store, copy, after } = planned("FAILED");
  const place = { namespace: "drs", uuid: "1" };
  store.notes.setAll(copy.seq, [["place/drs/1", place]]);
  const again = after(2 * hour);
  expect([...store.notes.entries(again?.seq ?? 0, "place/")]).toEqual([["place/drs/1", place]]);
});

test("a complete copy is not repeated", () => {
  const { copy, after } = planned("COMPLETED");
  expect(after(2 * hour)?.crn).toBe(copy.crn);
});

test("a cancelled copy is not repeated", () => {
  const { copy, after } = planned("FAILED", "alice");
  expect(after(2 * hour)?.crn).toBe(copy.crn);
});

test("copies that wait keep no caller from asking for a job", () => {
  const { store, after } = planned("FAILED");
  after(2 * hour);
  expect(store.queue.length).toBe(0);
});

test("a backup that failed has no copy", () => {
  const { store, planner } = planned("COMPLETED");
  const failed = store.jobs.insert(newBackup(2, { state: "FAILED", phase: "FINISHED" }));
  planner.afterEnd(failed, "FAILED");
  expect(store.copies.last(failed.crn)).toBeUndefined();
});
