import { expect, test, vi } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import { DrsError } from "../../engine/errors.ts";
import { backupReaches, restoreReaches, smallEngine } from "./small-engine.ts";
import { gate, idle, job } from "./jobs/small-jobs.ts";
import { crnOf, temporaryFolder } from "./store/temporary-store.ts";

const alice = { name: "alice", requestId: "" };
const all = { jobStates: [], pageSize: 0, startingToken: "" };
const request = { backupName: "nightly", itemName: "", caller: alice };

/** An engine whose backups wait for the gate. */
async function busyEngine(more: Parameters<typeof smallEngine>[1] = {}) {
  const backups = gate();
  const definitions = {
    backup: job({ PRE_VALIDATION: () => backups.opened }),
    restore: idle,
    deletion: idle,
    copy: idle,
    upkeep: idle,
  };
  const engine = await smallEngine(temporaryFolder(), { definitions, ...more });
  return { engine, finishBackups: () => backups.open() };
}

async function finishedBackup(engine: Engine, backupName = "nightly"): Promise<string> {
  const crn = await engine.createBackup({ ...request, backupName });
  await backupReaches(engine, crn, "COMPLETED");
  return crn;
}

function refusal(code: string, text: RegExp) {
  return expect.objectContaining({ code, message: expect.stringMatching(text) as string });
}

test("a backup is recorded at once, runs, and can be described, listed and read about", async () => {
  const engine = await smallEngine(temporaryFolder());
  const crn = await finishedBackup(engine);
  expect(crn).toMatch(/^crn:altus:drs:us-west-1:acme:backup:/u);
  const summary = { crn, name: "nightly", state: "COMPLETED", phase: "FINISHED", createdAt: expect.any(Date) as Date };
  expect(engine.describeBackup(crn)).toEqual({
    ...summary,
    job: `backup-${crn.slice(-36)}`,
    updatedAt: expect.any(Date) as Date,
    includedNamespaces: ["cdp"],
    warnings: [],
    errors: [],
  });
  expect(engine.listBackups({ ...all, backupName: "" }).items).toEqual([summary]);
  expect(engine.listBackups({ ...all, backupName: "weekly" }).items).toEqual([]);
  expect(engine.listBackups({ ...all, backupName: "nightly", jobStates: ["FAILED", "COMPLETED"] }).items).toEqual([
    summary,
  ]);
  expect(engine.getLogs(crn)).toMatch(
    /^\S+Z INFO {2}PENDING backup accepted\n(?:.*\n)*.* FINISHED job ended COMPLETED\n$/u,
  );
});

test("a list goes on where a page ended, while backups come and go, and only with the filters it began with", async () => {
  let now = Date.UTC(2026, 0, 1);
  const engine = await smallEngine(temporaryFolder(), { clock: () => new Date(now++) });
  const crns: string[] = [];
  for (let made = 0; made < 5; made += 1) crns.unshift(await finishedBackup(engine));
  const filter = { ...all, backupName: "nightly", jobStates: ["COMPLETED", "FAILED"] as const };
  const first = engine.listBackups({ ...filter, pageSize: 2 });
  expect(first.items.map(({ crn }) => crn)).toEqual(crns.slice(0, 2));
  const startingToken = first.nextToken ?? "";
  await finishedBackup(engine);
  for (const gone of crns.slice(1, 3)) {
    await engine.deleteBackup({ backupCrn: gone, caller: alice });
    await backupReaches(engine, gone, "NOT_FOUND");
  }
  const sameFilter = { ...filter, jobStates: ["FAILED", "COMPLETED", "FAILED"] as const, startingToken };
  const rest = engine.listBackups(sameFilter);
  expect(rest.items.map(({ crn }) => crn)).toEqual(crns.slice(3));
  expect(rest).not.toHaveProperty("nextToken");
  const refused = refusal("INVALID_ARGUMENT", /startingToken belongs to a list with other filters/u);
  expect(() => engine.listBackups({ ...filter, backupName: "weekly", startingToken })).toThrow(refused);
  expect(() => engine.listBackups({ ...filter, jobStates: ["FAILED"], startingToken })).toThrow(refused);
  expect(() => engine.listRestores({ ...all, backupCrn: "", startingToken })).toThrow(refused);
  for (const nonsense of ["x", "bnVsbA", Buffer.from('[1,2.5,"a"]').toString("base64url")]) {
    expect(() => engine.listBackups({ ...filter, startingToken: nonsense })).toThrow(
      refusal("INVALID_ARGUMENT", /startingToken is not a token of this service/u),
    );
  }
});

test("a backup without a name is called after the time in UTC", async () => {
  const now = new Date("2026-11-23T20:15:07.999Z");
  const engine = await smallEngine(temporaryFolder(), { clock: () => now });
  const crn = await finishedBackup(engine, "");
  expect(engine.describeBackup(crn).name).toBe("backup-20261123-201507");
});

test("names that are too long or hold control characters are refused", async () => {
  const engine = await smallEngine(temporaryFolder());
  await expect(engine.createBackup({ ...request, backupName: "x".repeat(256) })).rejects.toThrow(
    refusal("INVALID_ARGUMENT", /longer than 255 characters/u),
  );
  await expect(engine.createBackup({ ...request, backupName: "night\nly" })).rejects.toThrow(
    refusal("INVALID_ARGUMENT", /control characters/u),
  );
  await finishedBackup(engine, "x".repeat(255));
});

test("names that are looked for are held to the same length, and no token is longer than ours", async () => {
  const engine = await smallEngine(temporaryFolder());
  await expect(engine.createBackup({ ...request, itemName: "x".repeat(256) })).rejects.toThrow(
    refusal("INVALID_ARGUMENT", /item's name is longer than 255 characters/u),
  );
  expect(() => engine.listBackups({ ...all, backupName: "x".repeat(256) })).toThrow(
    refusal("INVALID_ARGUMENT", /backup's name is longer than 255 characters/u),
  );
  expect(() => engine.listBackups({ ...all, backupName: "", startingToken: "x".repeat(500_000) })).toThrow(
    refusal("INVALID_ARGUMENT", /startingToken is not a token of this service/u),
  );
});

test("a full queue takes no job, keeps answering retries, and lets what waits be taken out", async () => {
  const { engine, finishBackups } = await busyEngine();
  const finished = await engine.createBackup(request);
  await backupReaches(engine, finished, "IN_PROGRESS");
  const waiting: string[] = [];
  for (const backupName of "abcdefgh") waiting.push(await engine.createBackup({ ...request, backupName }));
  const full = refusal("RESOURCE_EXHAUSTED", /8 jobs wait already: .*--max-queued-jobs/u);
  await expect(engine.createBackup({ ...request, backupName: "i" })).rejects.toThrow(full);
  expect(engine.listBackups({ ...all, backupName: "i" }).items).toEqual([]);
  expect(await engine.createBackup({ ...request, backupName: "h" })).toBe(waiting[7]);
  await engine.deleteBackup({ backupCrn: waiting[0] ?? "", caller: alice });
  await engine.createBackup({ ...request, backupName: "i" });
  finishBackups();
});

test("a full queue leaves a backup as it is that could not be deleted", async () => {
  const backups = gate();
  let names = 0;
  const definitions = {
    backup: job({ PRE_VALIDATION: () => (names++ === 0 ? Promise.resolve() : backups.opened) }),
    restore: idle,
    deletion: idle,
    copy: idle,
    upkeep: idle,
  };
  const engine = await smallEngine(temporaryFolder(), { definitions });
  const backupCrn = await finishedBackup(engine);
  await backupReaches(engine, await engine.createBackup({ ...request, backupName: "running" }), "IN_PROGRESS");
  for (const backupName of "abcdefgh") await engine.createBackup({ ...request, backupName });
  const full = refusal("RESOURCE_EXHAUSTED", /jobs wait already/u);
  await expect(engine.deleteBackup({ backupCrn, caller: alice })).rejects.toThrow(full);
  await expect(engine.restoreBackup({ backupCrn, caller: alice })).rejects.toThrow(full);
  expect(engine.describeBackup(backupCrn).state).toBe("COMPLETED");
  backups.open();
});

test("an item that is no entity is refused with those that exist; the control plane needs no cluster", async () => {
  let isAway = true;
  const listEntities = async (): Promise<readonly string[]> => {
    if (isAway) throw new DrsError("UNAVAILABLE", "no answer");
    return ["cdp", "vault-system"];
  };
  const engine = await smallEngine(temporaryFolder(), { listEntities });
  await expect(engine.createBackup({ ...request, itemName: "vault-system" })).rejects.toThrow("no answer");
  const crn = await engine.createBackup({ ...request, itemName: "cdp" });
  expect(engine.describeBackup(crn).includedNamespaces).toEqual(["cdp"]);
  isAway = false;
  const vault = await engine.createBackup({ ...request, itemName: "vault-system" });
  expect(engine.describeBackup(vault).includedNamespaces).toEqual(["vault-system"]);
  await expect(engine.createBackup({ ...request, itemName: "kube-system" })).rejects.toThrow(
    refusal("INVALID_ARGUMENT", /"kube-system" is not a backup entity: there are cdp, vault-system/u),
  );
});

test("a client's retry by request id finds the first backup for a day, also while the cluster is away", async () => {
  let now = Date.UTC(2026, 0, 1);
  const listEntities = vi.fn<() => Promise<string[]>>(() => Promise.resolve(["vault-system"]));
  const engine = await smallEngine(temporaryFolder(), { clock: () => new Date(now), listEntities });
  const again = { ...request, itemName: "vault-system", caller: { name: "alice", requestId: "r-1" } };
  const first = await engine.createBackup(again);
  await backupReaches(engine, first, "COMPLETED");
  now += 86_400_000;
  listEntities.mockRejectedValue(new DrsError("UNAVAILABLE", "no answer"));
  expect(await engine.createBackup(again)).toBe(first);
  listEntities.mockResolvedValue(["vault-system"]);
  // The same id for something else, or from somebody else, is another request.
  expect(await engine.createBackup({ ...again, backupName: "other" })).not.toBe(first);
  expect(await engine.createBackup({ ...again, caller: { name: "bob", requestId: "r-1" } })).not.toBe(first);
  now += 1;
  const later = await engine.createBackup(again);
  expect(later).not.toBe(first);
  expect(await engine.createBackup(again)).toBe(later);
});

test("a client's retry by request id finds the first backup for as long as that is not finished", async () => {
  let now = Date.UTC(2026, 0, 1);
  const { engine, finishBackups } = await busyEngine({ clock: () => new Date(now) });
  const again = { ...request, backupName: "waits", caller: { name: "alice", requestId: "r-1" } };
  const first = await engine.createBackup(again);
  now += 3 * 86_400_000;
  expect(await engine.createBackup(again)).toBe(first);
  finishBackups();
});

test("a client's retry without an id finds the first backup within a minute while that has not started", async () => {
  let now = Date.UTC(2026, 0, 1);
  const { engine, finishBackups } = await busyEngine({ clock: () => new Date(now) });
  const running = await engine.createBackup(request);
  await backupReaches(engine, running, "IN_PROGRESS");
  const waiting = await engine.createBackup(request);
  expect(waiting).not.toBe(running);
  now += 59_000;
  expect(await engine.createBackup(request)).toBe(waiting);
  expect(await engine.createBackup({ ...request, backupName: "weekly" })).not.toBe(waiting);
  expect(await engine.createBackup({ ...request, caller: { name: "bob", requestId: "" } })).not.toBe(waiting);
  expect(await engine.createBackup({ ...request, itemName: "vault-system" })).not.toBe(waiting);
  now += 2_000;
  expect(await engine.createBackup(request)).not.toBe(waiting);
  finishBackups();
});

test("a restore runs on a finished backup, shows what it will and will not do, and is listed by backup", async () => {
  const engine = await smallEngine(temporaryFolder());
  const backupCrn = await finishedBackup(engine);
  const other = await finishedBackup(engine, "other");
  const crn = await engine.restoreBackup({ backupCrn, caller: alice });
  await restoreReaches(engine, crn, "COMPLETED");
  const summary = {
    crn,
    backupCrn,
    state: "COMPLETED",
    phase: "FINISHED",
    createdAt: expect.any(Date) as Date,
    includedNamespaces: ["cdp"],
  };
  expect(engine.describeRestore(crn)).toEqual({
    ...summary,
    job: `restore-${crn.slice(-36)}`,
    updatedAt: expect.any(Date) as Date,
    excludedResources: expect.arrayContaining(["events"]) as string[],
    successConditions: expect.arrayContaining(["every claim that was bound is bound"]) as string[],
    warnings: [],
    errors: [],
  });
  expect(engine.listRestores({ ...all, backupCrn: "" }).items).toEqual([summary]);
  expect(engine.listRestores({ ...all, backupCrn, jobStates: ["COMPLETED"] }).items).toEqual([summary]);
  expect(engine.listRestores({ ...all, backupCrn: other }).items).toEqual([]);
});

test("a backup that is not finished well cannot be restored, and the error says its state", async () => {
  const failing = job({
    PRE_VALIDATION: () => {
      throw new DrsError("INTERNAL", "broken");
    },
  });
  const engine = await smallEngine(temporaryFolder(), {
    definitions: { backup: failing, restore: idle, deletion: idle, copy: idle, upkeep: idle },
  });
  const backupCrn = await engine.createBackup(request);
  await backupReaches(engine, backupCrn, "FAILED");
  await expect(engine.restoreBackup({ backupCrn, caller: alice })).rejects.toThrow(
    refusal("FAILED_PRECONDITION", /is FAILED: only a COMPLETED or PARTIALLY_FAILED one/u),
  );
  await expect(engine.restoreBackup({ backupCrn: crnOf("backup", 9), caller: alice })).rejects.toThrow(
    refusal("NOT_FOUND", /there is no backup crn:/u),
  );
});

test("a deletion takes the backup and its restores away and keeps its own log", async () => {
  const engine = await smallEngine(temporaryFolder());
  const backupCrn = await finishedBackup(engine);
  const restoreCrn = await engine.restoreBackup({ backupCrn, caller: alice });
  await restoreReaches(engine, restoreCrn, "COMPLETED");
  const caller = { name: "alice", requestId: "delete-1" };
  const crn = await engine.deleteBackup({ backupCrn, caller });
  expect(crn).toContain(":deleteBackup:");
  await backupReaches(engine, backupCrn, "NOT_FOUND");
  expect(() => engine.describeRestore(restoreCrn)).toThrow(refusal("NOT_FOUND", /there is no restore/u));
  expect(() => engine.getLogs(backupCrn)).toThrow(refusal("NOT_FOUND", /there is no backup/u));
  expect(engine.listRestores({ ...all, backupCrn }).items).toEqual([]);
  expect(engine.getLogs(crn)).toContain("FINISHED job ended COMPLETED");
  expect(await engine.deleteBackup({ backupCrn, caller })).toBe(crn);
  await expect(engine.deleteBackup({ backupCrn, caller: alice })).rejects.toThrow(refusal("NOT_FOUND", /no backup/u));
});

test("a deletion that fails leaves the backup TERMINATING with the reason, and can be repeated", async () => {
  let broken = true;
  const began = gate();
  const deletion = job({
    DELETING_SNAPSHOTS: async (context) => {
      await began.opened;
      if (broken) context.error("DRS-D001", "cdp", "snapshot of claim data cannot be deleted");
    },
  });
  const engine = await smallEngine(temporaryFolder(), {
    definitions: { backup: idle, restore: idle, deletion, copy: idle, upkeep: idle },
  });
  const backupCrn = await finishedBackup(engine);
  const first = await engine.deleteBackup({ backupCrn, caller: alice });
  expect(engine.describeBackup(backupCrn).state).toBe("TERMINATING");
  expect(await engine.deleteBackup({ backupCrn, caller: { name: "bob", requestId: "x" } })).toBe(first);
  began.open();
  await vi.waitFor(() => expect(engine.getLogs(first)).toContain("job ended FAILED"));
  expect(engine.describeBackup(backupCrn)).toMatchObject({
    state: "TERMINATING",
    errors: [{ namespace: "cdp", text: "snapshot of claim data cannot be deleted" }],
  });
  await expect(engine.restoreBackup({ backupCrn, caller: alice })).rejects.toThrow(
    refusal("FAILED_PRECONDITION", /is TERMINATING/u),
  );
  broken = false;
  expect(await engine.deleteBackup({ backupCrn, caller: alice })).not.toBe(first);
  await backupReaches(engine, backupCrn, "NOT_FOUND");
});

test("a waiting backup is cancelled by its deletion at once; a running one cannot be deleted", async () => {
  const { engine, finishBackups } = await busyEngine();
  const running = await engine.createBackup(request);
  const waiting = await engine.createBackup({ ...request, backupName: "waiting" });
  await backupReaches(engine, running, "IN_PROGRESS");
  const deletion = await engine.deleteBackup({ backupCrn: waiting, caller: alice });
  expect(() => engine.describeBackup(waiting)).toThrow(refusal("NOT_FOUND", /no backup/u));
  expect(engine.getLogs(deletion)).toContain("taken out of the queue");
  await expect(engine.deleteBackup({ backupCrn: running, caller: alice })).rejects.toThrow(
    refusal("FAILED_PRECONDITION", new RegExp(`backup ${running} is IN_PROGRESS in phase PRE_VALIDATION`, "u")),
  );
  finishBackups();
  await backupReaches(engine, running, "COMPLETED");
});

test("a backup that is being restored cannot be deleted, and the error names the restore", async () => {
  const held = gate();
  const restore = job({ STOPPING_APPS: () => held.opened });
  const engine = await smallEngine(temporaryFolder(), {
    definitions: { backup: idle, restore, deletion: idle, copy: idle, upkeep: idle },
  });
  const backupCrn = await finishedBackup(engine);
  const restoreCrn = await engine.restoreBackup({ backupCrn, caller: alice });
  await expect(engine.deleteBackup({ backupCrn, caller: alice })).rejects.toThrow(
    refusal("FAILED_PRECONDITION", new RegExp(`restore ${restoreCrn} is IN_PROGRESS in phase STOPPING_APPS`, "u")),
  );
  held.open();
});

test("a CRN of the wrong kind is refused everywhere before anything is looked up", async () => {
  const engine = await smallEngine(temporaryFolder());
  const wrong = crnOf("restore", 1);
  const refused = refusal("INVALID_ARGUMENT", /expected a CRN/u);
  expect(() => engine.describeBackup(wrong)).toThrow(refused);
  expect(() => engine.describeRestore(crnOf("backup", 1))).toThrow(refused);
  expect(() => engine.listRestores({ ...all, backupCrn: wrong })).toThrow(refused);
  expect(() => engine.getLogs("nonsense")).toThrow(refused);
  await expect(engine.restoreBackup({ backupCrn: wrong, caller: alice })).rejects.toThrow(refused);
  await expect(engine.deleteBackup({ backupCrn: wrong, caller: alice })).rejects.toThrow(refused);
});
