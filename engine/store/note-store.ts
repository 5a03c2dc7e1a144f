import type { Database, Statement } from "./database.ts";

const pageSize = 500;
/** Sorts after every key's continuation. */
const highest = "\u{10FFFF}";

interface Note {
  readonly job: number;
  readonly key: string;
  readonly value: string;
}

/** The notes of jobs: JSON values by key. */
export class NoteStore {
  readonly #database: Database;
  readonly #get: Statement<{ job: number; key: string }, { value: string }>;
  readonly #set: Statement<Note>;
  readonly #page: Statement<{ job: number; from: string; to: string; limit: number }, Omit<Note, "job">>;
  readonly #clear: Statement<{ job: number; from: string; to: string }>;

  constructor(database: Database) {
    this.#database = database;
    this.#get = database.prepare(`SELECT value FROM note WHERE job = @job AND key = @key`);
    this.#set = database.prepare(`
      INSERT INTO note (job, key, value) VALUES (@job, @key, @value) ON CONFLICT (job, key) DO UPDATE SET value = @value`);
    this.#page = database.prepare(`
      SELECT key, value FROM note WHERE job = @job AND key >= @from AND key < @to ORDER BY key LIMIT @limit`);
    this.#clear = database.prepare(`DELETE FROM note WHERE job = @job AND key >= @from AND key < @to`);
  }

  get<T>(job: number, key: string): T | undefined {
    const note = this.#get.get({ job, key });
    return note && (JSON.parse(note.value) as T);
  }

  /** Sets all of them or none. */
  setAll(job: number, entries: Iterable<readonly [key: string, value: unknown]>): void {
    this.#database.transaction(() => {
      for (const [key, value] of entries) this.#set.run({ job, key, value: JSON.stringify(value) ?? "null" });
    });
  }

  /** In key order, read page by page, so that others can be written meanwhile. */
  *entries<T>(job: number, prefix: string): Generator<readonly [key: string, value: T], undefined> {
    const to = prefix + highest;
    let from = prefix;
    for (;;) {
      const page = this.#page.all({ job, from, to, limit: pageSize });
      for (const { key, value } of page) {
        yield [key, JSON.parse(value) as T];
        from = `${key}\0`;
      }
      if (page.length < pageSize) return;
    }
  }

  clear(job: number, prefix: string): void {
    this.#clear.run({ job, from: prefix, to: prefix + highest });
  }
}
