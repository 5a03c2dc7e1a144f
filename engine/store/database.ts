import { accessSync, chmodSync, closeSync, constants, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import Sqlite from "better-sqlite3";
import { whyUnusable } from "../unusable-folder.ts";
import { migrate } from "./migrate.ts";
import { storeError, StoreError } from "./store-errors.ts";

/** How long an opener waits for the process before it to let go of the file. */
const handOverTime = 2_000;

/** A prepared statement. SQLite's errors come out as a `StoreError` that names the file. */
export interface Statement<Parameters extends object, Result = never> {
  /** The number of rows that changed. */
  run(parameters: Parameters): number;
  get(parameters: Parameters): Result | undefined;
  all(parameters: Parameters): Result[];
}

/**
 * The one SQLite file. A commit is on the disk when it returns, one process has the file to itself, and nobody but its
 * user can read it.
 */
export class Database {
  readonly file: string;
  readonly #sqlite: Sqlite.Database;
  readonly #anyJob: Sqlite.Statement<[]>;
  #writes = 0;

  /** Opens the file, makes it if need be, and brings its tables up to date. Throws StoreError. */
  constructor(file: string) {
    this.file = file;
    this.#sqlite = this.#checked(() => open(file));
    try {
      this.#anyJob = this.#checked(() => {
        // Before the journal mode: WAL then needs no shared memory, and the first read locks out every other process.
        this.#sqlite.pragma("locking_mode = EXCLUSIVE");
        this.#sqlite.pragma("journal_mode = WAL");
        this.#sqlite.pragma("synchronous = FULL");
        // A migration may drop a table that others refer to: https://sqlite.org/lang_altertable.html#otheralter
        this.#sqlite.pragma("foreign_keys = OFF");
        migrate(this.#sqlite, file);
        this.#sqlite.pragma("foreign_keys = ON");
        return this.#sqlite.prepare<[]>("SELECT 1 FROM job LIMIT 1");
      });
    } catch (error) {
      this.#sqlite.close();
      throw error;
    }
  }

  prepare<Parameters extends object, Result = never>(sql: string): Statement<Parameters, Result> {
    const statement = this.#checked(() => this.#sqlite.prepare<[Parameters], Result>(sql));
    return {
      run: (parameters) => {
        this.#writes += 1;
        return this.#checked(() => statement.run(parameters).changes);
      },
      get: (parameters) => this.#checked(() => statement.get(parameters)),
      all: (parameters) => this.#checked(() => statement.all(parameters)),
    };
  }

  /**
   * Runs `work` as one transaction, durable when it returns; what `work` throws undoes it. One inside another is part of
   * it. A transaction ends when `work` returns, so a `work` that returns a promise is refused by type.
   */
  transaction<T>(work: () => T extends PromiseLike<unknown> ? never : T): T {
    try {
      return this.#checked(() => this.#sqlite.transaction(work as () => T).immediate());
    } finally {
      this.#writes += 1; // to undo is to write, too
    }
  }

  /** Changes whenever something may have been written: earlier results may be outdated. */
  get writes(): number {
    return this.#writes;
  }

  /**
   * Runs `work` without waiting for the disk: what it writes survives this process, and a power cut only once a later
   * transaction has ended. For lines of the log.
   */
  relaxed(work: () => void): void {
    if (this.#sqlite.inTransaction) return work();
    this.#checked(() => this.#sqlite.pragma("synchronous = NORMAL"));
    try {
      work();
    } finally {
      this.#checked(() => this.#sqlite.pragma("synchronous = FULL"));
    }
  }

  /** Whether the database answers. */
  isHealthy(): boolean {
    try {
      return this.#anyJob.all().length <= 1;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#checked(() => this.#sqlite.close());
  }

  #checked<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.file);
    }
  }
}

/** The folder that the file is in, where the journal is made, too. */
function makeFolder(file: string): void {
  const folder = dirname(file);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const message = `folder ${folder} cannot hold the database: ${whyUnusable(cause)}; correct that, or name another one with --data`;
    throw new StoreError("FAILED_PRECONDITION", message, { id: "DRS-S001", cause });
  }
}

function open(file: string): Sqlite.Database {
  makeFolder(file);
  // SQLite gives the journal the mode of the file. An existing file is not opened here: closing it would let go of the
  // locks that this process may hold on it.
  if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
  return new Sqlite(file, { timeout: handOverTime });
}
