import { expect, test } from "vitest";
import { UpkeepPlanner } from "../../../../engine/copy/upkeep/upkeep-planner.ts";
import { Intake } from "../../../../engine/jobs/intake.ts";
import { silentLogger } from "../../../../engine/logger.ts";
import type { JobState } from "../../../../engine/model.ts";
import { checkedNote, damageNote } from "../../../../engine/store/upkeep-store.ts";
import { engineConfig } from "../../small-engine.ts";
import { newBackup, temporaryStore } from "../../store/temporary-store.ts";

const hour = 3_600_000;

/** A store with one copy, in this state, and a planner of an upkeep a day whose clock can be set. */
function planned(copy: JobState = "COMPLETED") {
  const store = temporaryStore();
  let now = new Date("2026-11-30T10:00:00Z");
  const { controlPlane, restore, crn } = engineConfig("");
  const intake = new Intake({
    store,
    wakeRunner: () => {},
    clock: () => now,
    crn,
    flags: { controlPlane, restore },
    queuedJobs: 1,
  });
  const planner = new UpkeepPlanner(
    { store, clock: () => now, logger: silentLogger },
    intake,
    { everyMs: 24 * hour, parts: 30 },
    "cdp",
  );
  store.jobs.insert(newBackup(1, { kind: "copy", state: copy }));
  planner.recordDue();
  const after = (milliseconds: number) => {
    now = new Date(now.getTime() + milliseconds);
    planner.recordDue();
    return store.upkeep.last();
  };
  /** The upkeep that waits, ended so. */
  const ends = (state: JobState, notes: readonly (readonly [string, unknown])[] = [], cancelledBy?: string) => {
    const waiting = store.upkeep.last()?.state === "NOT_STARTED" ? store.upkeep.last() : after(24 * hour);
    if (waiting === undefined) throw new Error("none was recorded");
    const started = store.queue.start(waiting, "CHECKING_COPIES", now);
    store.notes.setAll(started.seq, notes);
    if (cancelledBy !== undefined) store.queue.cancel(started.seq, cancelledBy, now);
    store.queue.finish(started, state, now);
    return waiting;
  };
  return { store, after, ends };
}

test.each([
  ["COMPLETED", [], undefined, 24],
  ["FAILED", [], undefined, 1],
  ["FAILED", [[damageNote, { text: "", copies: [] }]], undefined, 24],
  ["FAILED", [[checkedNote, "2026-12-31T10:00:00Z"]], undefined, 24],
  ["FAILED", [], "alice", 24],
] as const)(
  "after an upkeep that ended %s (%j, cancelled by %s) the next one begins in %i h",
  (state, notes, by, hours) => {
    const { after, ends } = planned();
    const { crn } = ends(state, notes, by);
    expect(after(hours * hour - 1)?.crn).toBe(crn);
    const next = after(1);
    expect([next?.state, next?.entity, next?.origin]).toEqual(["NOT_STARTED", "cdp", "service"]);
    expect(after(100 * hour)?.crn).toBe(next?.crn); // it waits
  },
);

test.each(["NOT_STARTED", "IN_PROGRESS"] as const)("no upkeep is recorded while a copy is %s", (state) => {
  expect(planned(state).after(100 * hour)).toBeUndefined();
});

test("the first upkeep is a day after the first copy", () => {
  const { after } = planned();
  expect(after(24 * hour - 1)?.state).toBe("COMPLETED");
  expect(after(1)?.state).toBe("NOT_STARTED");
});

test("what is known of a repository stays known when the next upkeep is recorded, and of many the oldest are forgotten", () => {
  const { store, after, ends } = planned();
  const first = ends("COMPLETED", [
    [checkedNote, "2026-11-30T10:00:00.000Z"],
    ["place/drs/1", { namespace: "drs", uuid: "1" }],
  ]);
  for (let number = 0; number < 12; number++) {
    after(24 * hour);
    ends("COMPLETED");
  }
  const { seq } = after(24 * hour) ?? { seq: 0 };
  expect(store.notes.get(seq, checkedNote)).toBe("2026-11-30T10:00:00.000Z");
  expect(store.notes.get(seq, "place/drs/1")).toBeDefined();
  expect(store.jobs.get(first.crn)).toBeUndefined();
  expect(store.jobs.counts().find(({ kind, state }) => kind === "upkeep" && state === "COMPLETED")?.count).toBe(10);
});
