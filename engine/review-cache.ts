export interface ReviewCacheOptions {
  /** How long an answer counts, in milliseconds. */
  readonly lifetime: number;
  /** How many answers are kept, of those that say yes and of those that say no. */
  readonly size: number;
  /** How long the cluster may take to answer, turns that are waited for included; in milliseconds. */
  readonly timeout: number;
  /** How many questions are asked at once; the others wait for their turn. */
  readonly atOnce: number;
  readonly clock: () => Date;
}

interface Kept<Answer> {
  readonly answer: Answer;
  readonly until: number;
}

/**
 * Remembers the cluster's answers for a short time, and lets all who have the same question meanwhile wait for one answer.
 * Failures are not remembered.
 *
 * Answers that say yes (that are truthy) are kept apart from the others, so that nobody pushes them out with guesses.
 */
export class ReviewCache<Answer> {
  readonly #options: ReviewCacheOptions;
  readonly #yes = new Map<string, Kept<Answer>>();
  readonly #no = new Map<string, Kept<Answer>>();
  readonly #asking = new Map<string, Promise<Answer>>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(options: ReviewCacheOptions) {
    this.#options = options;
    this.#free = options.atOnce;
  }

  /** The answer for a key: the kept one, or else what `ask` gives. */
  async get(key: string, ask: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const kept = this.#yes.get(key) ?? this.#no.get(key);
    if (kept && this.#now() < kept.until) return kept.answer;
    const asking = this.#asking.get(key) ?? this.#ask(key, ask);
    this.#asking.set(key, asking);
    return asking;
  }

  async #ask(key: string, ask: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const signal = AbortSignal.timeout(this.#options.timeout);
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const answer = await ask(signal);
      this.#keep(key, answer);
      return answer;
    } finally {
      this.#asking.delete(key);
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }

  #keep(key: string, answer: Answer): void {
    this.#yes.delete(key);
    this.#no.delete(key);
    const answers = answer ? this.#yes : this.#no;
    const [oldest] = answers.keys();
    if (answers.size >= this.#options.size && oldest !== undefined) answers.delete(oldest);
    answers.set(key, { answer, until: this.#now() + this.#options.lifetime });
  }

  #now(): number {
    return this.#options.clock().getTime();
  }
}
