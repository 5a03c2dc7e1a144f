import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks until the answer is neither undefined nor false, and gives it. After the time limit it throws what was awaited and
 * what `look` says is there instead.
 */
export async function eventually<T>(
  awaited: string,
  ask: () => Promise<T | undefined | false>,
  { timeout = 60_000, interval = 200, look }: EventuallyOptions = {},
): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`${awaited}: not within ${timeout} ms${look ? `\n${await look()}` : ""}`);
    await sleep(interval);
  }
}

interface EventuallyOptions {
  readonly timeout?: number;
  readonly interval?: number;
  readonly look?: () => Promise<string> | string;
}
