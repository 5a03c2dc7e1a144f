import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { renderLog } from "../../../engine/jobs/job-log.ts";
import { openStore } from "../../../engine/store/store.ts";
import type { Store } from "../../../engine/store/store.ts";
import { crnOf, newBackup, temporaryFolder, temporaryStore } from "../store/temporary-store.ts";
import { createRunner, job, reaches, waitForAbort } from "./small-jobs.ts";

const crn = crnOf("backup", 1);
const dyingService = fileURLToPath(new URL("./dying-service.ts", import.meta.url));

/** Records a job, lets another process run it to where it stands still, and kills that process. */
async function killedIn(where: "phase" | "fail"): Promise<Store> {
  const file = join(temporaryFolder(), "drs.db");
  const before = openStore(file);
  before.jobs.insert(newBackup(1));
  before.database.close();
  const service = spawn(process.execPath, [dyingService, file, where], { stdio: ["ignore", "pipe", "inherit"] });
  await once(service.stdout, "data");
  service.kill("SIGKILL");
  await once(service, "exit");
  const store = openStore(file);
  onTestFinished(() => store.database.close());
  return store;
}

/** What a crash leaves in the database: the job as it is, nothing parked. */
function crash(store: Store): void {
  store.database.prepare<object>("UPDATE job SET parked = 0").run({});
}

test("a job whose process was killed continues at the same phase with its notes", async () => {
  const store = await killedIn("phase");
  expect(store.jobs.get(crn)).toMatchObject({ state: "IN_PROGRESS", phase: "SAVING_OBJECTS", recoveries: 0 });
  const notes: unknown[] = [];
  const runner = createRunner(store, {
    backup: job({
      PRE_VALIDATION: () => expect.unreachable(),
      SAVING_OBJECTS: (context) => {
        notes.push(context.notes.get("validated"), context.notes.get("replicas/api"), store.jobs.get(crn)?.recoveries);
      },
    }),
  });
  runner.start();
  await reaches(store, crn, "COMPLETED");
  expect(notes).toEqual([true, 3, 1]);
  expect(store.jobs.get(crn)?.recoveries).toBe(0);
  expect(renderLog(store.logs, 1)).toContain("INFO  SAVING_OBJECTS continued after a restart in SAVING_OBJECTS\n");
});

test("a failed job whose process was killed during its clean-up continues with the clean-up", async () => {
  const store = await killedIn("fail");
  const seen: string[] = [];
  const runner = createRunner(store, {
    backup: job({
      SAVING_OBJECTS: () => expect.unreachable(),
      finish: () => expect.unreachable(),
      fail: ({ notes }) => void seen.push(`fail ${notes.get<number>("replicas/api")}`),
    }),
  });
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(seen).toEqual(["fail 3"]);
  expect(store.messages.list(1).map(({ text }) => text)).toEqual(["secrets cannot be listed"]);
});

test("a shutdown waits for the phase to stop, and the next start continues without counting a crash", async () => {
  const store = temporaryStore();
  store.jobs.insert(newBackup(1));
  store.jobs.insert(newBackup(2));
  const seen: string[] = [];
  for (let start = 1; start <= 12; start += 1) {
    const runner = createRunner(store, {
      backup: job({
        PRE_VALIDATION: async ({ signal }) => {
          seen.push("begins");
          await waitForAbort(signal).finally(() => seen.push("stopped"));
        },
      }),
    });
    runner.start();
    await vi.waitFor(() => expect(seen.at(-1)).toBe("begins"));
    await runner.close();
    expect(seen.at(-1)).toBe("stopped");
    expect(store.jobs.get(crn)).toMatchObject({ state: "IN_PROGRESS", phase: "PRE_VALIDATION", recoveries: 0 });
  }
  expect(store.jobs.get(crnOf("backup", 2))?.state).toBe("NOT_STARTED");
  expect(store.messages.list(1)).toEqual([]);
  createRunner(store, {}).start();
  await reaches(store, crnOf("backup", 2), "COMPLETED");
  expect(store.jobs.get(crn)?.state).toBe("COMPLETED");
});

test("a phase that ends while the service shuts down is recorded, and the next one waits for the next start", async () => {
  const store = temporaryStore();
  store.jobs.insert(newBackup(1));
  let next = 0;
  const definition = job({
    PRE_VALIDATION: ({ signal }) => waitForAbort(signal).catch(() => {}),
    SAVING_OBJECTS: () => void (next += 1),
  });
  const runner = createRunner(store, { backup: definition });
  runner.start();
  await runner.close();
  expect(store.jobs.get(crn)).toMatchObject({ state: "IN_PROGRESS", phase: "SAVING_OBJECTS" });
  expect(next).toBe(0);
});

test("a job that was found running by more than ten starts in a row fails through its clean-up and says why", async () => {
  const store = temporaryStore();
  store.jobs.insert(newBackup(1));
  const seen: string[] = [];
  const runs = job({
    PRE_VALIDATION: ({ signal }) => {
      seen.push("phase");
      return waitForAbort(signal);
    },
    fail: () => void seen.push("fail"),
  });
  for (let start = 0; start <= 10; start += 1) {
    const runner = createRunner(store, { backup: runs });
    runner.start();
    await runner.close();
    crash(store);
  }
  expect(seen).toEqual(Array.from({ length: 11 }, () => "phase"));
  createRunner(store, { backup: runs }).start();
  await reaches(store, crn, "FAILED");
  expect(seen.slice(11)).toEqual(["fail"]);
  expect(store.messages.list(1)[0]?.text).toMatch(/the service died 11 times in a row during PRE_VALIDATION/u);
});

test("crashes in different phases are not in a row", async () => {
  const store = temporaryStore();
  store.jobs.insert(newBackup(1));
  for (const [phase, crashes] of [
    ["PRE_VALIDATION", 8],
    ["SAVING_OBJECTS", 8],
  ] as const) {
    for (let start = 0; start < crashes; start += 1) {
      const runner = createRunner(store, {
        backup: job({
          PRE_VALIDATION: ({ signal }) => (phase === "PRE_VALIDATION" ? waitForAbort(signal) : undefined),
          SAVING_OBJECTS: ({ signal }) => waitForAbort(signal),
        }),
      });
      runner.start();
      await vi.waitFor(() => expect(store.jobs.get(crn)?.phase).toBe(phase));
      await runner.close();
      crash(store);
    }
  }
  createRunner(store, { backup: job({ SAVING_OBJECTS: () => {} }) }).start();
  await reaches(store, crn, "COMPLETED");
});

test("a clean-up that kills the service every time is abandoned, and the job ends FAILED", async () => {
  const store = temporaryStore();
  const { seq } = store.jobs.insert(newBackup(1));
  store.database
    .prepare<object>("UPDATE job SET state = 'IN_PROGRESS', phase = 'SAVING_OBJECTS', step = 'FAIL', recoveries = 10")
    .run({});
  createRunner(store, { backup: job({ SAVING_OBJECTS: () => {}, fail: () => expect.unreachable() }) }).start();
  await reaches(store, crn, "FAILED");
  expect(store.messages.list(seq)[0]?.text).toMatch(/during the clean-up after the failure in SAVING_OBJECTS/u);
});
