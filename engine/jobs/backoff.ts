import { setTimeout as sleep } from "node:timers/promises";

export interface Backoff {
  /** Milliseconds before the second attempt; doubled before each further one. */
  readonly firstDelay: number;
  readonly maxDelay: number;
}

/** How long to wait after the given number of failed attempts: exponential, up to a quarter more or less by chance. */
export function delayAfter(failures: number, { firstDelay, maxDelay }: Backoff, random: () => number): number {
  return Math.min(maxDelay, firstDelay * 2 ** (failures - 1)) * (0.75 + random() / 2);
}

/** Waits; false when the signal ended the wait. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(milliseconds, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
