import type { Database } from "../store/database.ts";

/** How many answers are kept, and of how many rows each at most: a few MiB in all. */
const maxAnswers = 100;
const maxRows = 100;

/**
 * Answers read from the bookkeeping, kept until something is written to it. A follower of a job asks the same thing again and
 * again, and to read it from SQLite takes a quarter to two fifths of the whole call as JSON (docs/performance.md).
 */
export class KeptAnswers {
  readonly #database: Database;
  readonly #answers = new Map<string, unknown>();
  #writes = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The kept answer to the question; else what `read` gives now, which is kept unless it has very many rows. */
  get<Answer>(question: string, read: () => Answer, rowsOf: (answer: Answer) => number): Answer {
    const { writes } = this.#database;
    if (writes !== this.#writes || this.#answers.size >= maxAnswers) this.#answers.clear();
    this.#writes = writes;
    const kept = this.#answers.get(question) as Answer | undefined;
    if (kept !== undefined) return kept;
    const answer = read();
    if (rowsOf(answer) <= maxRows) this.#answers.set(question, answer);
    return answer;
  }
}
