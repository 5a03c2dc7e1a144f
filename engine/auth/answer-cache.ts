import { Semaphore } from "./semaphore.ts";

export interface AnswerCacheOptions {
  /** How long an answer counts, in milliseconds. */
  readonly lifetime: number;
  /** How many answers are kept, of those that say yes and of those that say no. */
  readonly size: number;
  /** How long the cluster may take to answer, turns that are waited for included; in milliseconds. */
  readonly timeout: number;
  /** How many questions are asked at once; the others wait for their turn. */
  readonly atOnce: number;
  /** How many wait; one more is refused. */
  readonly waiting: number;
  readonly clock: () => Date;
}

interface Answered<Answer> {
  readonly answer: Answer;
  readonly until: number;
}

/** A question that is being asked, or waits for its turn. */
interface Question<Answer> {
  readonly answer: Promise<Answer>;
  readonly abandoned: AbortController;
  callers: number;
}

/**
 * Remembers the cluster's answers for a short time, and lets all who have the same question meanwhile wait for one answer.
 * Failures are not remembered. A question that nobody waits for any more is abandoned.
 *
 * Answers that say yes (that are truthy) are kept apart from the others, so that nobody pushes them out with guesses.
 */
export class AnswerCache<Answer> {
  readonly #options: AnswerCacheOptions;
  readonly #yes = new Map<string, Answered<Answer>>();
  readonly #no = new Map<string, Answered<Answer>>();
  readonly #asking = new Map<string, Question<Answer>>();
  readonly #semaphore: Semaphore;

  constructor(options: AnswerCacheOptions) {
    this.#options = options;
    this.#semaphore = new Semaphore(options);
  }

  /**
   * The answer for a key: the kept one, or else what `ask` gives. Throws what `ask` throws, and UNAVAILABLE when too many wait
   * or the turn does not come in time.
   *
   * @param caller Aborted when this caller does not wait any more.
   */
  async get(key: string, ask: (signal: AbortSignal) => Promise<Answer>, caller?: AbortSignal): Promise<Answer> {
    const kept = this.#yes.get(key) ?? this.#no.get(key);
    if (kept && this.#now() < kept.until) return kept.answer;
    const question = this.#asking.get(key) ?? this.#begin(key, ask);
    question.callers += 1;
    const leave = () => {
      question.callers -= 1;
      if (question.callers > 0) return;
      this.#forget(key, question);
      question.abandoned.abort();
    };
    caller?.addEventListener("abort", leave, { once: true });
    try {
      return await question.answer;
    } finally {
      caller?.removeEventListener("abort", leave);
    }
  }

  #begin(key: string, ask: (signal: AbortSignal) => Promise<Answer>): Question<Answer> {
    const abandoned = new AbortController();
    const signal = AbortSignal.any([abandoned.signal, AbortSignal.timeout(this.#options.timeout)]);
    const question = { answer: this.#ask(key, ask, signal), abandoned, callers: 0 };
    this.#asking.set(key, question);
    const forget = () => this.#forget(key, question);
    question.answer.then(forget, forget);
    return question;
  }

  async #ask(key: string, ask: (signal: AbortSignal) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    await this.#semaphore.acquire(signal);
    try {
      const answer = await ask(signal);
      this.#keep(key, answer);
      return answer;
    } finally {
      this.#semaphore.release();
    }
  }

  #forget(key: string, question: Question<Answer>): void {
    if (this.#asking.get(key) === question) this.#asking.delete(key);
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
