import { expect, test, vi } from "vitest";
import { cancel } from "../../../engine/jobs/cancelling.ts";
import { Checkpoint } from "../../../engine/jobs/checkpoint.ts";
import { ControlPlaneLease } from "../../../engine/jobs/control-plane-lease.ts";
import { renderLog } from "../../../engine/jobs/job-log.ts";
import type { JobDefinition } from "../../../engine/jobs/phase.ts";
import { silentLogger } from "../../../engine/logger.ts";
import type { JobKind } from "../../../engine/model.ts";
import type { NewJob } from "../../../engine/store/job-record.ts";
import type { Store } from "../../../engine/store/store.ts";
import { newBackup, temporaryStore } from "../store/temporary-store.ts";
import { createRunner, gate, job, reaches, waitForAbort, type Work } from "./small-jobs.ts";

/** A kind of background work. */
const copy: JobKind = "copy";
const counted = new Checkpoint<{ readonly volumes: number }>("PRE_VALIDATION");

function copies(work: Work, { inTheWay = true, ...more }: { inTheWay?: boolean; fail?: Work } = {}) {
  const definition: JobDefinition = {
    ...job({ PRE_VALIDATION: (context) => counted.write(context, { volumes: 2 }), SAVING_OBJECTS: work, ...more }),
    background: { isInTheWayOf: () => inTheWay },
  };
  return { [copy]: definition };
}

function add(store: Store, kind: JobKind, number: number, more: Partial<NewJob> = {}): string {
  return store.jobs.insert(newBackup(number, { kind, ...more })).crn;
}

/** Runs until its signal is aborted, the first time; then as often as requested. */
function standsAsideOnce(seen: string[]): Work {
  let runs = 0;
  return async (context) => {
    seen.push(`copies ${counted.read(context).volumes}`);
    runs += 1;
    if (runs === 1) await waitForAbort(context.signal).finally(() => seen.push("stopped"));
  };
}

const state = (store: Store, crn: string) => store.jobs.get(crn)?.state;
const begins = (seen: readonly string[]) => vi.waitFor(() => expect(seen).toEqual(["copies 2"]));
const logOf = (store: Store, crn: string) => renderLog(store.logs, store.jobs.get(crn)?.seq ?? 0);

test("background work runs beside the control plane's jobs, one at a time, and what callers ask for first", async () => {
  const store = temporaryStore();
  const gates = { backup: gate(), copy: gate() };
  const order: string[] = [];
  const runner = createRunner(store, {
    backup: job({ PRE_VALIDATION: () => gates.backup.opened }),
    ...copies(async ({ job: { crn } }) => {
      order.push(crn);
      await gates.copy.opened;
    }),
  });
  const backup = add(store, "backup", 1);
  const first = add(store, copy, 2);
  const scheduled = add(store, copy, 3, { origin: "policy" });
  const asked = add(store, copy, 4);
  runner.start();
  await vi.waitFor(() => expect(order).toEqual([first]));
  expect([backup, first, asked].map((crn) => state(store, crn))).toEqual(["IN_PROGRESS", "IN_PROGRESS", "NOT_STARTED"]);
  gates.copy.open();
  await reaches(store, scheduled, "COMPLETED");
  expect(order).toEqual([first, asked, scheduled]);
  expect(state(store, backup)).toBe("IN_PROGRESS");
  gates.backup.open();
  await reaches(store, backup, "COMPLETED");
});

test("background work that is in a restore's way stands aside, and goes on from its checkpoints after it", async () => {
  const store = temporaryStore();
  const seen: string[] = [];
  const restoring = gate();
  const runner = createRunner(store, {
    ...copies(standsAsideOnce(seen)),
    restore: job({
      PRE_VALIDATION: async () => {
        seen.push("restores");
        await restoring.opened;
      },
    }),
  });
  const crn = add(store, copy, 1);
  runner.start();
  await begins(seen);
  const restore = add(store, "restore", 2);
  const later = add(store, copy, 3);
  runner.wake();
  await vi.waitFor(() => expect(seen).toEqual(["copies 2", "stopped", "restores"]));
  runner.wake();
  expect([crn, later].map((it) => state(store, it))).toEqual(["IN_PROGRESS", "NOT_STARTED"]);
  restoring.open();
  await reaches(store, later, "COMPLETED");
  expect(state(store, crn)).toBe("COMPLETED");
  expect(seen).toEqual(["copies 2", "stopped", "restores", "copies 2", "copies 2"]);
  expect(logOf(store, restore)).toContain(`PENDING waits until copy ${crn} stands aside\n`);
  expect(logOf(store, crn)).toContain(`SAVING_OBJECTS stands aside for restore ${restore}\n`);
  expect(logOf(store, crn)).toContain("SAVING_OBJECTS goes on in SAVING_OBJECTS\n");
  expect(store.messages.list(store.jobs.get(crn)?.seq ?? 0)).toEqual([]);
});

test("background work that is in no restore's way goes on beside it", async () => {
  const store = temporaryStore();
  const copying = gate();
  const runner = createRunner(
    store,
    copies(() => copying.opened, { inTheWay: false }),
  );
  const crn = add(store, copy, 1);
  runner.start();
  await vi.waitFor(() => expect(store.jobs.get(crn)?.phase).toBe("SAVING_OBJECTS"));
  const restore = add(store, "restore", 2);
  runner.wake();
  await reaches(store, restore, "COMPLETED");
  expect(state(store, crn)).toBe("IN_PROGRESS");
  copying.open();
  await reaches(store, crn, "COMPLETED");
});

test("a restore that waits behind a backup keeps no background work from going on until its turn comes", async () => {
  const store = temporaryStore();
  const seen: string[] = [];
  const backingUp = gate();
  const runner = createRunner(store, {
    backup: job({ PRE_VALIDATION: () => backingUp.opened }),
    restore: job({ PRE_VALIDATION: () => void seen.push("restores") }),
    ...copies(standsAsideOnce(seen)),
  });
  const backup = add(store, "backup", 1);
  const restore = add(store, "restore", 2);
  const crn = add(store, copy, 3);
  runner.start();
  await begins(seen);
  backingUp.open();
  await reaches(store, crn, "COMPLETED");
  expect(seen).toEqual(["copies 2", "stopped", "restores", "copies 2"]);
  expect([backup, restore].map((it) => state(store, it))).toEqual(["COMPLETED", "COMPLETED"]);
});

test("work that stands aside does so over crashes, which do not count, until the restore is over", async () => {
  const store = temporaryStore();
  const crn = add(store, copy, 1);
  const restore = add(store, "restore", 2);
  const waiting = store.jobs.get(crn);
  if (waiting) store.queue.start(waiting, "PRE_VALIDATION", new Date()); // it had begun before the restore
  const parked = store.database.prepare<object, { parked: number }>("SELECT parked FROM job WHERE kind = 'copy'");
  const park = store.database.prepare<{ parked: number }>("UPDATE job SET parked = @parked WHERE kind = 'copy'");
  for (let start = 1; start <= 12; start += 1) {
    const seen: string[] = [];
    const runner = createRunner(store, {
      ...copies(() => void seen.push("copies")),
      restore: job({
        PRE_VALIDATION: (context) => {
          seen.push("restores");
          return waitForAbort(context.signal);
        },
      }),
    });
    runner.start();
    await vi.waitFor(() => expect(seen).toEqual(["restores"]));
    const atCrash = parked.get({})?.parked ?? 0;
    await runner.close();
    park.run({ parked: atCrash }); // a crash parks nothing
    expect(store.jobs.get(crn)).toMatchObject({ state: "IN_PROGRESS", recoveries: 1 });
  }
  createRunner(
    store,
    copies(() => {}),
  ).start();
  await reaches(store, crn, "COMPLETED");
  expect(state(store, restore)).toBe("COMPLETED");
});

test("work that is cancelled while it stands aside is cleaned up when the restore is over", async () => {
  const store = temporaryStore();
  const seen: string[] = [];
  const restoring = gate();
  const runner = createRunner(store, {
    ...copies(standsAsideOnce(seen), { fail: () => void seen.push("cleaned up") }),
    restore: job({ PRE_VALIDATION: () => restoring.opened }),
  });
  const crn = add(store, copy, 1);
  runner.start();
  await begins(seen);
  const restore = add(store, "restore", 2);
  runner.wake();
  await reaches(store, restore, "IN_PROGRESS");
  const aside = store.jobs.get(crn);
  if (aside) cancel({ store, logger: silentLogger, clock: () => new Date() }, aside, { name: "bob", requestId: "" });
  runner.stopCancelled(crn);
  restoring.open();
  await reaches(store, crn, "FAILED");
  expect(seen).toEqual(["copies 2", "stopped", "cleaned up"]);
  expect(store.messages.list(store.jobs.get(crn)?.seq ?? 0)).toMatchObject([{ text: "the copy was cancelled by bob" }]);
});

test("background work keeps no other service from the control plane", async () => {
  const store = temporaryStore();
  const lease = new ControlPlaneLease({
    cluster: undefined as never, // asking it would fail the job
    namespace: "kube-system",
    name: "control-plane",
    holder: "one/service/start",
    logger: silentLogger,
  });
  const crn = add(store, copy, 1);
  createRunner(
    store,
    copies(() => {}),
    { lease },
  ).start();
  await reaches(store, crn, "COMPLETED");
  expect(store.messages.list(1)).toEqual([]);
});
