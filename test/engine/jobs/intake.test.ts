import { expect, test } from "vitest";
import { Intake, type Wanted } from "../../../engine/jobs/intake.ts";
import { temporaryStore } from "../store/temporary-store.ts";
import { engineConfig } from "../small-engine.ts";

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
  return { store, tick, woken: () => woken };
}

test("a policy's tick records one job, however often it is told, and the job says where it comes from", () => {
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
