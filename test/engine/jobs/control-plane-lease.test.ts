import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { DrsError } from "../../../engine/errors.ts";
import { cancel } from "../../../engine/jobs/cancelling.ts";
import { ControlPlaneLease, type LeaseTimes } from "../../../engine/jobs/control-plane-lease.ts";
import { renderLog } from "../../../engine/jobs/job-log.ts";
import { leases } from "../../../engine/jobs/lease-record.ts";
import type { JobContext } from "../../../engine/jobs/phase.ts";
import { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { silentLogger } from "../../../engine/logger.ts";
import { startSimulator, type Simulator } from "../../../simulator/simulator.ts";
import { crnOf, newBackup, temporaryStore } from "../store/temporary-store.ts";
import { createRunner, gate, job, reaches } from "./small-jobs.ts";

const times: LeaseTimes = { durationMs: 4_000, writingMs: 2_000, renewMs: 50, lookMs: 30, patienceMs: 150 };
const path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/control-plane";
const signal = AbortSignal.timeout(60_000);
const crn = crnOf("backup", 1);
let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
  return () => simulator.close();
});

/** A service of this name; `cutOff` keeps its requests from the API server. */
async function aService(holder: string, more: Partial<LeaseTimes> = {}) {
  const cluster = await Cluster.open({ server: simulator.url }, 2);
  const network = { cutOff: false };
  const reachable = new Proxy(cluster, {
    get: (target, name: keyof Cluster) => {
      if (network.cutOff && name === "get")
        return () => Promise.reject(new DrsError("UNAVAILABLE", "no route to host"));
      return (target[name] as () => unknown).bind(target);
    },
  });
  const deps = { cluster: reachable, namespace: "kube-system", name: "control-plane", holder, logger: silentLogger };
  const lease = new ControlPlaneLease({ ...deps, times: { ...times, ...more } });
  onTestFinished(async () => {
    await lease.close();
    await cluster.delete(leases, "kube-system", "control-plane", signal);
    await cluster.close();
  });
  return { lease, network };
}

async function holderNow(): Promise<string> {
  const response = await fetch(`${simulator.url}${path}`);
  return ((await response.json()) as { spec: { holderIdentity: string } }).spec.holderIdentity;
}

test("the second service waits, is told who holds the control plane, and gets it when the first one is done", async () => {
  const [first, second] = [await aService("a/one/1"), await aService("b/two/1")];
  first.lease.enter();
  const { term } = await first.lease.hold(signal, () => expect.unreachable());
  second.lease.enter();
  const told: string[] = [];
  const waiting = second.lease.hold(signal, (holder) => told.push(holder));
  await vi.waitFor(() => expect(told).toEqual(["a/one/1"]), 20_000);
  await sleep(times.durationMs + 500); // it is renewed meanwhile
  expect(told).toEqual(["a/one/1"]);
  expect(await holderNow()).toBe("a/one/1");
  first.lease.leave({ goesOn: false });
  const second1 = await waiting;
  expect(second1.hasWaited).toBe(true);
  expect(second1.term).not.toBe(term);
  second.lease.leave({ goesOn: false });
  await vi.waitFor(async () => expect(await holderNow()).toBe(""), 20_000);
});

test("a holder that is gone is followed once its lease has run out; one that is cut off, and comes back, writes nothing more", async () => {
  const [first, second] = [await aService("a/one/1"), await aService("b/two/1")];
  first.lease.enter();
  const { term } = await first.lease.hold(signal, () => {});
  expect(await first.lease.guard(() => Promise.resolve("written"))).toBe("written");
  second.lease.enter();
  const waiting = second.lease.hold(signal, () => {});
  await sleep(2 * times.lookMs);
  first.network.cutOff = true;
  const cut = performance.now();
  await waiting;
  expect(performance.now() - cut).toBeGreaterThan(times.durationMs - times.renewMs - times.lookMs);

  const write = vi.fn(() => Promise.resolve());
  expect(() => first.lease.check()).toThrow("was not renewed in time");
  await expect(first.lease.guard(write)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  first.network.cutOff = false;
  await vi.waitFor(() => expect(first.lease.lostTo(term)).toBe("b/two/1"), 20_000);
  await expect(first.lease.guard(write)).rejects.toThrow("b/two/1 has taken the control plane over");
  second.lease.leave({ goesOn: false });
  await vi.waitFor(async () => expect(await holderNow()).toBe(""), 20_000);
  await expect(first.lease.guard(write)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(write).not.toHaveBeenCalled();
  expect((await first.lease.hold(signal, () => {})).term).not.toBe(term);
});

test("a renewal that is late holds a write up, and fails it not", async () => {
  const { lease, network } = await aService("a/one/1", { patienceMs: 20_000 });
  lease.enter();
  const { term } = await lease.hold(signal, () => {});
  network.cutOff = true;
  await vi.waitFor(() => expect(() => lease.check()).toThrow("not renewed in time"), 10_000);
  setTimeout(() => (network.cutOff = false), 50);
  expect(await lease.guard(() => Promise.resolve("written"))).toBe("written");
  expect((await lease.hold(signal, () => {})).term).toBe(term);
});

test("a service that is started again has its control plane at once, in the same term; another one on its host not", async () => {
  const first = await aService("a/one/1");
  first.lease.enter();
  const { term } = await first.lease.hold(signal, () => {});
  first.lease.leave({ goesOn: true });
  await first.lease.close();
  const again = await aService("another-host/one/2");
  again.lease.enter();
  expect(await again.lease.hold(signal, () => expect.unreachable())).toEqual({ term, hasWaited: false });
  const other = await aService("another-host/two/2");
  other.lease.enter();
  const told = gate();
  void other.lease.hold(AbortSignal.timeout(2_000), () => told.open()).catch(() => {});
  await told.opened;
});

test("a lease that somebody deletes is recreated, in the same term", async () => {
  const { lease } = await aService("a/one/1");
  lease.enter();
  const { term } = await lease.hold(signal, () => {});
  await fetch(`${simulator.url}${path}`, { method: "DELETE" });
  await vi.waitFor(async () => expect(await holderNow()).toBe("a/one/1"), 20_000);
  expect((await lease.hold(signal, () => {})).term).toBe(term);
});

/** Runs a backup that is cut off in SAVING_OBJECTS until another service has worked on the control plane, and goes on then. */
async function takenOver(more: { needsRollback?: boolean }) {
  const store = temporaryStore();
  const [first, second] = [await aService("a/one/1"), await aService("b/two/1")];
  const [began, mayGoOn] = [gate(), gate()];
  const seen: string[] = [];
  const definition = {
    ...job({
      PRE_VALIDATION: async (context: JobContext) => void (await context.claimControlPlane()),
      SAVING_OBJECTS: async () => {
        seen.push("phase");
        began.open();
        await mayGoOn.opened;
        await first.lease.guard(async () => void seen.push("written"));
      },
      fail: () => first.lease.guard(async () => void seen.push("cleaned up")),
    }),
    needsRollback: () => more.needsRollback === true,
    abandoned: (_: JobContext, why: string) => ({ id: "DRS-R006" as const, text: `all lies there: ${why}` }),
  };
  const runner = createRunner(store, { backup: definition }, { lease: first.lease });
  store.jobs.insert(newBackup(1));
  runner.start();
  await began.opened;
  first.network.cutOff = true;
  second.lease.enter();
  await second.lease.hold(signal, () => {});
  first.network.cutOff = false;
  mayGoOn.open();
  await vi.waitFor(
    () => expect([...store.logs.newestFirst(1)].some(({ text }) => text.includes("attempt 1"))).toBe(true),
    20_000,
  );
  second.lease.leave({ goesOn: false });
  await reaches(store, crn, "FAILED");
  return { seen, errors: store.messages.list(1).map(({ text }) => text) };
}

test("a job whose control plane another service has worked on meanwhile fails, and cleans up once it has it again", async () => {
  const { seen, errors } = await takenOver({});
  expect(seen).toEqual(["phase", "cleaned up"]);
  expect(errors).toEqual([expect.stringContaining("has worked on the control plane while")]);
});

test("a job that has left things in between then touches nothing more, and says where all lies", async () => {
  const { seen, errors } = await takenOver({ needsRollback: true });
  expect(seen).toEqual(["phase"]);
  expect(errors).toEqual([expect.stringMatching(/^all lies there: b\/two\/1 has worked on the control plane while/)]);
});

test("a job that waits for another service can be cancelled", async () => {
  const [first, second] = [await aService("a/one/1"), await aService("b/two/1")];
  first.lease.enter();
  await first.lease.hold(signal, () => {});
  const store = temporaryStore();
  store.jobs.insert(newBackup(1));
  const work = job({ PRE_VALIDATION: async (context) => void (await context.claimControlPlane()) });
  const runner = createRunner(store, { backup: work }, { lease: second.lease });
  runner.start();
  await vi.waitFor(() => expect(renderLog(store.logs, 1)).toContain("waiting for a/one/1"), 20_000);
  const waiting = store.jobs.get(crn);
  if (waiting) cancel({ store, logger: silentLogger, clock: () => new Date() }, waiting, { name: "", requestId: "" });
  runner.stopCancelled(crn);
  await reaches(store, crn, "FAILED");
  expect(store.messages.list(1).map(({ text }) => text)).toEqual(["the backup was cancelled"]);
  first.lease.leave({ goesOn: false });
});
