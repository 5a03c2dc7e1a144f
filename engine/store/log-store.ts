import type { Database, Statement } from "./database.ts";

export type LogLevel = "info" | "warning" | "error";

export interface LogLine {
  readonly time: Date;
  readonly level: LogLevel;
  readonly phase: string;
  /** The text's code, as docs/operations.md explains it; missing from most lines. */
  readonly code?: string | undefined;
  readonly text: string;
}

interface LogRow extends Omit<LogLine, "code" | "time"> {
  readonly code: string | null;
  readonly timeMs: number;
}

const pageSize = 1_000;

/** The lines of jobs' logs. */
export class LogStore {
  readonly #database: Database;
  readonly #add: Statement<LogRow & { job: number }>;
  readonly #page: Statement<{ job: number; before: number; limit: number }, LogRow & { id: number }>;
  readonly #count: Statement<{ job: number }, { count: number }>;

  constructor(database: Database) {
    this.#database = database;
    this.#add = database.prepare(`
      INSERT INTO log_line (job, time_ms, level, phase, code, text) VALUES (@job, @timeMs, @level, @phase, @code, @text)`);
    this.#page = database.prepare(`
      SELECT id, time_ms AS timeMs, level, phase, code, text FROM log_line
      WHERE job = @job AND id < @before ORDER BY id DESC LIMIT @limit`);
    this.#count = database.prepare(`SELECT count(*) AS count FROM log_line WHERE job = @job`);
  }

  /** Adds a line. Outside a transaction it is durable together with the next change of anything. */
  add(job: number, { time, level, phase, code, text }: LogLine): void {
    this.#database.relaxed(() =>
      this.#add.run({ job, timeMs: time.getTime(), level, phase, code: code ?? null, text }),
    );
  }

  /** Newest first, read page by page. */
  *newestFirst(job: number): Generator<LogLine> {
    let before = Number.MAX_SAFE_INTEGER;
    for (;;) {
      const page = this.#page.all({ job, before, limit: pageSize });
      for (const { id, timeMs, level, phase, code, text } of page) {
        before = id;
        yield { time: new Date(timeMs), level, phase, ...(code !== null && { code }), text };
      }
      if (page.length < pageSize) return;
    }
  }

  count(job: number): number {
    return this.#count.get({ job })?.count ?? 0;
  }
}
