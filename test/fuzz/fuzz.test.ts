import { afterAll, beforeAll, expect, test } from "vitest";
import * as fc from "fast-check";
import { eventually } from "../cluster/support/eventually.ts";
import { faultOf } from "./answers.ts";
import { fuzzBytes, type FuzzRequest, fuzzRequest } from "./requests.ts";
import { FuzzedService } from "./service.ts";

/** Of the random choices; FUZZ_SEED gives it again. */
const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const requestsInAll = Number(process.env["FUZZ_REQUESTS"] ?? 24_000);
/** Sent at once, over connections that are kept. */
const batch = 40;
/** How much more memory the service may hold at the end than after the first third. */
const growthAllowed = 32 * 1_024 * 1_024;

let service: FuzzedService;
let crns: readonly string[];

beforeAll(async () => {
  process.stdout.write(`fuzzing ${requestsInAll} requests: FUZZ_SEED=${seed}\n`);
  service = await FuzzedService.start(["--log-level=info"]);
  const { backupCrn } = await service.api("createBackup", { backupName: "fuzzed" });
  await eventually("the backup is made", async () => {
    const { backup } = await service.api("describeBackup", { backupCrn });
    return backup.backupPhase === "FINISHED";
  });
  crns = [backupCrn];
});
afterAll(() => service?.stop());

test(
  "whatever a client sends, it gets a well-formed answer that is no fault of the service, in memory that does not grow",
  { timeout: 600_000 },
  async () => {
    const memory: number[] = [];
    const kinds = new Map<string, number>();
    /** An example of each. */
    const faults = new Map<string, object>();
    let sent = 0;
    const property = fc.asyncProperty(
      fc.array(fuzzRequest(crns), { minLength: batch, maxLength: batch }),
      async (requests) => {
        const answers = await Promise.all(requests.map(answerTo));
        for (const { kind, fault, ...example } of answers) {
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
          if (fault !== undefined && !faults.has(fault)) faults.set(fault, example);
        }
        sent += requests.length;
        memory.push(await service.memory());
        expect(service.isAlive).toBe(true);
      },
    );
    await fc.assert(property, { seed, numRuns: Math.ceil(requestsInAll / batch), endOnFailure: true });
    process.stdout.write(
      `${sent} requests: ${JSON.stringify(Object.fromEntries([...kinds].sort(([a], [b]) => (a < b ? -1 : 1))))}\n`,
    );
    expect(Object.fromEntries(faults)).toEqual({});
    expect(service.faults).toEqual([]);
    const third = Math.floor(memory.length / 3);
    const [early, late] = [memory.slice(third, 2 * third), memory.slice(2 * third)].map(median);
    process.stdout.write(`MiB in memory: ${inMiB(memory[0])}, ${inMiB(early)}, ${inMiB(late)}\n`);
    expect((late ?? 0) - (early ?? 0)).toBeLessThan(growthAllowed);
  },
);

test("whatever bytes a client sends, the service answers as HTTP does or hangs up, and goes on serving", async () => {
  const property = fc.asyncProperty(
    fc.array(fuzzBytes(crns), { minLength: batch, maxLength: batch }),
    async (messages) => {
      const answers = await Promise.all(messages.map((bytes) => service.sendRaw(bytes)));
      for (const answer of answers) expect(answer.toString("latin1")).not.toMatch(/^HTTP\/1\.[01] 5(?!0[145])/);
    },
  );
  await fc.assert(property, { seed, numRuns: 50, endOnFailure: true });
  expect(service.faults).toEqual([]);
  expect(await service.api("listBackups", { backupName: "fuzzed" })).toMatchObject({ backups: [{}] });
});

async function answerTo(request: FuzzRequest) {
  try {
    const answer = await service.send(request);
    const type = answer.headers["content-type"] ?? "none";
    return {
      kind: `${answer.status} ${type}`,
      fault: faultOf(request, answer),
      ...shown(request),
      answer: answer.body.toString().slice(0, 300),
    };
  } catch (error) {
    return { kind: "no answer", fault: String(error), ...shown(request) };
  }
}

function shown({ body, ...request }: FuzzRequest) {
  return { ...request, body: body.toString("base64").slice(0, 2_000) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function inMiB(bytes = 0): number {
  return Math.round(bytes / 1_024 / 1_024);
}
