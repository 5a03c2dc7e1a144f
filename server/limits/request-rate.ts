/** How many seconds' worth of requests may come at once. */
const burst = 2;
/** Callers that are remembered: a few hundred bytes each. */
const maxCallers = 10_000;

/**
 * How often each caller may call: a token bucket for each, as the generic cell rate algorithm keeps it, one number a
 * caller (ITU-T I.371, https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
 *
 * Of very many callers the ones that have called last are remembered; the others start over.
 */
export class RequestRate {
  readonly #interval: number;
  readonly #now: () => number;
  /** When each caller's bucket is full again; who has called last comes last. */
  readonly #fullAt = new Map<string, number>();

  /** @param now Milliseconds of a clock that is never set back. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#interval = 1_000 / perSecond;
    this.#now = now;
  }

  /** Counts a request; false when there have been too many. */
  take(caller: string): boolean {
    const next = this.#afterOneMore(caller);
    if (!this.#isWithin(next)) return false;
    this.#fullAt.delete(caller);
    this.#fullAt.set(caller, next);
    const [longestAgo = caller] = this.#fullAt.keys();
    if (this.#fullAt.size > maxCallers) this.#fullAt.delete(longestAgo);
    return true;
  }

  /** Takes back a counted request. */
  giveBack(caller: string): void {
    const fullAt = this.#fullAt.get(caller);
    if (fullAt !== undefined) this.#fullAt.set(caller, fullAt - this.#interval);
  }

  /** How many callers are remembered. */
  get size(): number {
    return this.#fullAt.size;
  }

  #afterOneMore(caller: string): number {
    return Math.max(this.#now(), this.#fullAt.get(caller) ?? 0) + this.#interval;
  }

  #isWithin(fullAt: number): boolean {
    return fullAt - this.#now() <= burst * 1_000;
  }
}
