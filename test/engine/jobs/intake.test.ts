import { expect, test } from "vitest";
import { Intake, type Wanted } from "../../../engine/jobs/intake.ts";
import type { JobKind } from "../../../engine/model.ts";
import { crnOf, temporaryStore } from "../store/temporary-store.ts";
import { engineConfig } from "../small-engine.ts";

const alice = { name: "alice", requestId: "" };
const nightly = {
  kind: "backup",
  requestedName: "",
  itemName: "",
  backupCrn: "",
  caller: { name: "policy/nightly", requestId: "2026-11-30T03:00:00.000Z" },
} as const;
const wanted: Wanted = {
  ...nightly,
  origin: "policy",
  displayName: "nightly",
  entity: "cdp",
  includedNamespaces: ["cdp"],
};

function open() {
  const store = temporaryStore();
  let woken = 0;
  const { controlPlane, restore, crn, limits } = engineConfig("unused");
  const flags = { controlPlane, restore };
  const wakeRunner = () => void woken++;
  const intake = new Intake({ store, wakeRunner, clock: () => new Date(), crn, flags, queuedJobs: limits.queuedJobs });
  const tick = () => intake.record(() => intake.findRepeated(nightly) ?? intake.enqueue(wanted));
  const backupCrn = crnOf("backup", 7);
  const record = (kind: JobKind) =>
    intake.record(() => intake.enqueue({ ...wanted, kind, backupCrn, origin: "caller", caller: alice }));
  return { store, tick, record, woken: () => woken };
}

test("a policy's tick records one job, however often it is reported, and the job says where it comes from", () => {
  const { store, tick, woken } = open();
  const crn = tick();
  expect(woken()).toBe(1);
  expect(store.jobs.get(crn)).toMatchObject({ origin: "policy", caller: nightly.caller, state: "NOT_STARTED" });
  const job = store.jobs.get(crn);
  if (job) store.queue.finish(store.queue.start(job, "PRE_VALIDATION", new Date()), "COMPLETED", new Date());
  expect(tick()).toBe(crn);
});

test("what a job is asked to do is in its row from the moment it is recorded", () => {
  const { store, tick } = open();
  expect(JSON.parse(store.jobs.get(tick())?.parameters ?? "")).toEqual({
    version: 1,
    namespaces: ["cdp", "vault-system"],
    furtherObjects: [],
  });
});

test("what callers ask for goes before a policy's backups, in order of arrival", () => {
  const { store, tick, record } = open();
  const scheduled = tick();
  const before = record("backup");
  const restore = record("restore");
  const order: string[] = [];
  const kinds = ["backup", "restore", "deletion"] as const;
  for (let job = store.queue.next(kinds); job !== undefined; job = store.queue.next(kinds)) {
    order.push(job.crn);
    store.queue.finish(store.queue.start(job, "PRE_VALIDATION", new Date()), "COMPLETED", new Date());
  }
  expect(order).toEqual([before, restore, scheduled]);
});
