import * as fc from "fast-check";
import type { Arbitrary } from "fast-check";
import { expect } from "vitest";
import { type Answer, faultOf } from "./answers.ts";
import type { FuzzRequest } from "./requests.ts";
import type { FuzzedService } from "./service.ts";

/** Of the random choices; FUZZ_SEED gives it again. */
export const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** Sent at once, over connections that are kept. */
export const batch = 40;
/** How much more memory the service may hold in the last third than in the second one: garbage comes and goes. */
const growthAllowed = 32 * 1_024 * 1_024;
/** How much more of that may be no garbage in the last third. A look may come in the middle of something; the least of several does not. */
const liveGrowthAllowed = 2 * 1_024 * 1_024;
const liveLooks = 15;

export interface Campaign<Attempt> {
  readonly service: FuzzedService;
  /** How many requests are sent. */
  readonly count: number;
  readonly attempts: Arbitrary<Attempt>;
  /** Sends one, and says what was sent and what came back. */
  readonly send: (attempt: Attempt) => Promise<{ readonly request: FuzzRequest; readonly answer: Answer }>;
  /** What is wrong with a well-formed answer. */
  readonly judge?: (attempt: Attempt, request: FuzzRequest, answer: Answer) => string | undefined;
}

/**
 * Expects that every answer is well-formed and right, the service lives, its log reports no fault, and its memory does not
 * grow. Resolves to how many requests were sent.
 */
export async function runCampaign<Attempt>({
  service,
  count,
  attempts,
  send,
  judge,
}: Campaign<Attempt>): Promise<number> {
  const memory: number[] = [];
  const live: number[] = [];
  const kinds = new Map<string, number>();
  /** An example of each. */
  const faults = new Map<string, object>();
  const batches = Math.ceil(count / batch);

  async function attemptOne(attempt: Attempt): Promise<void> {
    let kind = "no answer";
    let fault: string | undefined;
    let shown: object = { attempt };
    try {
      const { request, answer } = await send(attempt);
      kind = `${answer.status} ${answer.headers["content-type"] ?? "none"}`;
      fault = faultOf(request, answer) ?? judge?.(attempt, request, answer);
      const { body, ...rest } = request;
      shown = { ...rest, body: body.toString("base64").slice(0, 2_000), answer: answer.body.toString().slice(0, 300) };
    } catch (error) {
      fault = String(error);
    }
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (fault !== undefined && !faults.has(fault)) faults.set(fault, shown);
  }

  const property = fc.asyncProperty(fc.array(attempts, { minLength: batch, maxLength: batch }), async (all) => {
    await Promise.all(all.map(attemptOne));
    expect(service.isAlive).toBe(true);
    memory.push(await service.memory());
    if (memory.length % Math.ceil(batches / liveLooks) === 0) live.push(await service.liveMemory());
  });
  await fc.assert(property, { seed, numRuns: batches, endOnFailure: true });
  const sorted = Object.fromEntries([...kinds].sort(([a], [b]) => (a < b ? -1 : 1)));
  process.stdout.write(`${memory.length * batch} requests: ${JSON.stringify(sorted)}\n`);
  expect(Object.fromEntries(faults)).toEqual({});
  expect(service.faults).toEqual([]);
  const [early, late] = lastThirds(memory, median);
  const [liveEarly, liveLate] = lastThirds(live, (looks) => Math.min(...looks));
  process.stdout.write(`MiB in memory: ${[memory[0], early, late].map(inMiB).join(", ")}\n`);
  process.stdout.write(`MiB that are no garbage: ${live.map(inMiB).join(", ")}\n`);
  expect(late - early).toBeLessThan(growthAllowed);
  expect(liveLate - liveEarly).toBeLessThan(liveGrowthAllowed);
  return memory.length * batch;
}

/** Of the second third and the last one. */
function lastThirds(looks: readonly number[], of: (looks: readonly number[]) => number): readonly [number, number] {
  const third = Math.floor(looks.length / 3);
  return [of(looks.slice(third, 2 * third)), of(looks.slice(2 * third))];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function inMiB(bytes = 0): string {
  return (bytes / 1_024 / 1_024).toFixed(2);
}
