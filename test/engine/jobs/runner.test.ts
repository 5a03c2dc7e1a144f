import { expect, test, vi } from "vitest";
import { DrsError } from "../../../engine/errors.ts";
import { renderLog } from "../../../engine/jobs/job-log.ts";
import { crnOf, newBackup, temporaryStore } from "../store/temporary-store.ts";
import { createRunner, fastSettings, gate, job, reaches } from "./small-jobs.ts";

const crn = crnOf("backup", 1);
const unavailable = () => new DrsError("UNAVAILABLE", "the API server does not answer");

test("a job walks its phases in order, then finishes, and ends COMPLETED", async () => {
  const store = temporaryStore();
  const seen: string[] = [];
  const runner = createRunner(store, {
    backup: job({
      PRE_VALIDATION: ({ notes }) => notes.set("found", { claims: 2 }),
      SAVING_OBJECTS: (context) => {
        seen.push(`${context.notes.get<{ claims: number }>("found")?.claims} ${store.jobs.get(crn)?.phase}`);
        context.setIncludedNamespaces(["cdp", "vault-system"]);
      },
      finish: ({ job: { uuid } }) => void seen.push(`finish ${uuid} ${store.jobs.get(crn)?.phase}`),
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "COMPLETED");
  expect(seen).toEqual(["2 SAVING_OBJECTS", `finish ${crn.slice(-36)} SAVING_OBJECTS`]);
  expect(store.jobs.get(crn)).toMatchObject({ phase: "FINISHED", includedNamespaces: ["cdp", "vault-system"] });
  const log = renderLog(store.logs, 1)
    .replaceAll(/^\S+ /gmu, "")
    .replaceAll(/\d+\.\d s/gu, "N s");
  expect(log.trimEnd().split("\n")).toEqual([
    "INFO  PRE_VALIDATION phase started",
    "INFO  PRE_VALIDATION phase finished after N s",
    "INFO  SAVING_OBJECTS phase started",
    "INFO  SAVING_OBJECTS phase finished after N s",
    "INFO  SAVING_OBJECTS completing the job",
    "INFO  FINISHED job ended COMPLETED",
  ]);
});

test("warnings make a job PARTIALLY_FAILED, and a phase that repeats them doubles nothing", async () => {
  const store = temporaryStore();
  let runs = 0;
  const runner = createRunner(store, {
    backup: job({
      SAVING_OBJECTS: (context) => {
        context.warn("DRS-B009", "cdp", "claim data has no snapshot class");
        context.warn("DRS-B009", "vault-system", "claim data has no snapshot class");
        runs += 1;
        if (runs < 3) throw unavailable();
      },
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "PARTIALLY_FAILED");
  expect(store.messages.list(1).map(({ namespace }) => namespace)).toEqual(["cdp", "vault-system"]);
  expect(renderLog(store.logs, 1).match(/WARN {2}SAVING_OBJECTS DRS-B009 cdp: claim data/gu)).toHaveLength(1);
});

test("a recorded error lets the rest go on and ends the job FAILED without clean-up", async () => {
  const store = temporaryStore();
  const seen: string[] = [];
  const runner = createRunner(store, {
    backup: job({
      PRE_VALIDATION: (context) => context.error("DRS-J010", "cdp", "secret db-password cannot be read"),
      SAVING_OBJECTS: () => void seen.push("went on"),
      finish: () => void seen.push("finish"),
      fail: () => void seen.push("fail"),
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(seen).toEqual(["went on", "finish"]);
});

test("UNAVAILABLE is tried again as often as the settings say, and leaves no message when it passes", async () => {
  const store = temporaryStore();
  let runs = 0;
  const runner = createRunner(store, {
    backup: job({
      PRE_VALIDATION: () => {
        runs += 1;
        if (runs < 8) throw unavailable();
      },
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "COMPLETED");
  expect(runs).toBe(8);
  expect(
    renderLog(store.logs, 1).match(/WARN {2}PRE_VALIDATION DRS-J005 attempt \d of 8: the API server/gu),
  ).toHaveLength(7);
});

test("UNAVAILABLE too often in a row fails the job with its message, and the clean-up is tried as patiently", async () => {
  const store = temporaryStore();
  let runs = 0;
  let cleanUps = 0;
  const runner = createRunner(store, {
    backup: job({
      PRE_VALIDATION: () => {
        runs += 1;
        throw unavailable();
      },
      fail: () => {
        cleanUps += 1;
        if (cleanUps < 3) throw unavailable();
      },
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect([runs, cleanUps]).toEqual([8, 3]);
  expect(store.messages.list(1)).toMatchObject([
    { level: "error", namespace: "", text: "the API server does not answer" },
  ]);
});

test("a phase that came further each time is tried more often than one that does not", async () => {
  const store = temporaryStore();
  let runs = 0;
  const runner = createRunner(store, {
    backup: job({
      PRE_VALIDATION: ({ progressed }) => {
        runs += 1;
        if (runs % 5 === 0) progressed();
        if (runs < 20) throw unavailable();
      },
      SAVING_OBJECTS: () => {
        runs += 1;
        throw unavailable();
      },
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(runs).toBe(20 + 8);
});

/** A backup whose clean-up leaves things in between until it succeeds. */
const needingRollback = (fail: () => void) => ({
  ...job({
    SAVING_OBJECTS: () => {
      throw new DrsError("FAILED_PRECONDITION", "it cannot be", { id: "DRS-B001" });
    },
    fail,
  }),
  needsRollback: () => true,
  abandoned: (_: unknown, why: string) => ({ id: "DRS-R006" as const, text: `things are in between: ${why}` }),
});

test("a clean-up that finds its archive damaged again and again is abandoned soon, and says what is left", async () => {
  const store = temporaryStore();
  let cleanUps = 0;
  const runner = createRunner(store, {
    backup: needingRollback(() => {
      cleanUps += 1;
      throw new DrsError("DATA_LOSS", "its checksum is not the manifest's", { id: "DRS-A002" });
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(cleanUps).toBe(3);
  expect(store.messages.list(1).map(({ text }) => text)).toEqual([
    "it cannot be",
    "things are in between: its checksum is not the manifest's",
  ]);
});

test("a clean-up without which things are in between is tried without end while it is UNAVAILABLE, and long after other errors", async () => {
  const store = temporaryStore();
  let cleanUps = 0;
  const runner = createRunner(store, {
    backup: needingRollback(() => {
      cleanUps += 1;
      if (cleanUps <= 60) throw unavailable();
      if (cleanUps <= 70) throw new DrsError("FAILED_PRECONDITION", "claims are not bound", { id: "DRS-R047" });
      if (cleanUps <= 80) throw new TypeError("of hunter2");
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(cleanUps).toBe(81);
  expect(store.messages.list(1).map(({ text }) => text)).toEqual(["it cannot be"]);
  const log = renderLog(store.logs, 1);
  expect(log).toContain("attempt 60: the API server does not answer; trying again in");
  expect(log).toContain("attempt 70: claims are not bound; trying again in");
  expect(log).toContain("attempt 80: internal error (TypeError) in SAVING_OBJECTS");
  expect(log).not.toContain("hunter2");
});

test("a clean-up that is abandoned while things are in between says what is left to do, whatever its error", async () => {
  const store = temporaryStore();
  let cleanUps = 0;
  const runner = createRunner(store, {
    backup: needingRollback(() => {
      cleanUps += 1;
      throw new TypeError("of hunter2");
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(cleanUps).toBe(fastSettings.maxCleanUps);
  expect(store.messages.list(1).map(({ text }) => text)).toEqual([
    "it cannot be",
    expect.stringMatching(/^things are in between: internal error \(TypeError\) in SAVING_OBJECTS/),
  ]);
});

test("a failed job is cleaned up before its state says so, and what fails then is one more error", async () => {
  const store = temporaryStore();
  let stateInFail = "";
  const runner = createRunner(store, {
    backup: job({
      SAVING_OBJECTS: () => {
        throw new DrsError("PERMISSION_DENIED", "secrets cannot be listed in cdp", { id: "DRS-J008" });
      },
      CREATING_SNAPSHOTS: () => expect.unreachable(),
      fail: () => {
        stateInFail = store.jobs.get(crn)?.state ?? "";
        throw new DrsError("INTERNAL", "the archive cannot be removed");
      },
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(stateInFail).toBe("IN_PROGRESS");
  expect(store.messages.list(1).map(({ text }) => text)).toEqual([
    "secrets cannot be listed in cdp",
    "the archive cannot be removed",
  ]);
});

test("an error that is not ours fails the job and shows nothing of its text", async () => {
  const store = temporaryStore();
  const error = vi.fn();
  const runner = createRunner(
    store,
    {
      backup: job({
        PRE_VALIDATION: () => {
          throw new SyntaxError("unexpected token in hunter2");
        },
      }),
    },
    { logger: { info() {}, warn() {}, error } },
  );
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(store.messages.list(1)[0]?.text).toMatch(/^internal error \(SyntaxError\) in PRE_VALIDATION/u);
  expect(renderLog(store.logs, 1)).not.toContain("hunter2");
  expect(error.mock.calls[0]?.[0]).toMatchObject({ crn, err: { message: "unexpected token in hunter2" } });
});

test("an unexpected error while a phase's end is recorded leaves no job that nobody runs: it is recorded later", async () => {
  const store = temporaryStore();
  const move = vi.spyOn(store.queue, "move");
  for (let failures = 0; failures < 3; failures += 1)
    move.mockImplementationOnce(() => {
      throw new TypeError("of hunter2");
    });
  let runs = 0;
  const runner = createRunner(store, {
    backup: job({ PRE_VALIDATION: () => void (runs += 1), SAVING_OBJECTS: () => {} }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "COMPLETED");
  expect(runs).toBe(4);
});

test("a phase whose end can never be recorded fails the job, through its clean-up", async () => {
  const store = temporaryStore();
  const move = store.queue.move.bind(store.queue);
  vi.spyOn(store.queue, "move").mockImplementation((of, to, now) => {
    if (to.phase === "SAVING_OBJECTS") throw new TypeError("of hunter2");
    return move(of, to, now);
  });
  let cleanUps = 0;
  const runner = createRunner(store, {
    backup: job({
      PRE_VALIDATION: () => {},
      SAVING_OBJECTS: () => expect.unreachable(),
      fail: () => void (cleanUps += 1),
    }),
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(cleanUps).toBe(1);
  expect(store.messages.list(1).map(({ text }) => text)).toEqual([
    expect.stringMatching(/^internal error \(TypeError\) in PRE_VALIDATION/u),
  ]);
  expect(renderLog(store.logs, 1)).not.toContain("hunter2");
});

test("a clean-up whose own words fail is abandoned all the same", async () => {
  const store = temporaryStore();
  const runner = createRunner(store, {
    backup: {
      ...needingRollback(() => {
        throw new TypeError("of hunter2");
      }),
      needsRollback: () => {
        throw new RangeError("of hunter2");
      },
      abandoned: () => {
        throw new RangeError("of hunter2");
      },
    },
  });
  store.jobs.insert(newBackup(1));
  runner.start();
  await reaches(store, crn, "FAILED");
  expect(store.messages.list(1).map(({ text }) => text)).toEqual([
    "it cannot be",
    expect.stringMatching(/^internal error \(TypeError\)/u),
  ]);
});

test("jobs of one entity run one after another in order of arrival; another entity's does not wait", async () => {
  const store = temporaryStore();
  const events: string[] = [];
  const first = gate();
  const runner = createRunner(store, {
    backup: job({
      PRE_VALIDATION: async ({ job: { displayName } }) => {
        events.push(`${displayName} begins`);
        if (displayName === "Backup 1") await first.opened;
        events.push(`${displayName} ends`);
      },
    }),
  });
  runner.start();
  store.jobs.insert(newBackup(1));
  runner.wake();
  store.jobs.insert(newBackup(2));
  store.jobs.insert(newBackup(3, { createdAt: newBackup(0).createdAt }));
  store.jobs.insert(newBackup(4, { entity: "other" }));
  runner.wake();
  await reaches(store, crnOf("backup", 4), "COMPLETED");
  expect(store.jobs.get(crnOf("backup", 2))?.state).toBe("NOT_STARTED");
  first.open();
  await reaches(store, crnOf("backup", 3), "COMPLETED");
  expect(events.filter((event) => !event.startsWith("Backup 4"))).toEqual(
    [1, 2, 3].flatMap((number) => [`Backup ${number} begins`, `Backup ${number} ends`]),
  );
});

test("a job waits while the disk is full and goes on when there is room again", async () => {
  const store = temporaryStore();
  const pages = store.database.prepare<object, { max_page_count: number }>("PRAGMA max_page_count");
  const limit = (count: number) => store.database.prepare<object, object>(`PRAGMA max_page_count = ${count}`).all({});
  const unlimited = pages.get({})?.max_page_count ?? 0;
  let runs = 0;
  const error = vi.fn();
  const runner = createRunner(
    store,
    {
      backup: job({
        SAVING_OBJECTS: ({ notes }) => {
          runs += 1;
          if (runs === 1) limit(1);
          notes.set("big", "x".repeat(100_000));
        },
      }),
    },
    { logger: { info() {}, warn() {}, error }, settings: fastSettings },
  );
  store.jobs.insert(newBackup(1));
  runner.start();
  await vi.waitFor(() => expect(error).toHaveBeenCalledWith(expect.anything(), "the job waits for the database"));
  limit(unlimited);
  await reaches(store, crn, "COMPLETED");
  expect(runs).toBe(2);
});
