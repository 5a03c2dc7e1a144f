import type { JobCount, JobKind, JobState } from "../model.ts";
import type { Database, Statement } from "./database.ts";
import { jobColumns, jobRecord, listedColumns, listedJob } from "./job-record.ts";
import type { JobRecord, JobRow, ListedJob, ListedRow, NewJob } from "./job-record.ts";
import { JobConflictError } from "./store-errors.ts";

/** Empty values and lists filter nothing. */
export interface JobFilter {
  readonly kind: JobKind;
  readonly states: readonly JobState[];
  readonly displayName: string;
  readonly backupCrn: string;
}

/** A place in a list: right after the job of this time and number. */
export interface ListPosition {
  readonly createdMs: number;
  readonly seq: number;
}

/** Before the newest job. */
const start: ListPosition = { createdMs: Number.MAX_SAFE_INTEGER, seq: Number.MAX_SAFE_INTEGER };

/** The identity of a request, shared by its repetitions. */
export type Repeat = Pick<NewJob, "kind" | "requestedName" | "itemName" | "backupCrn" | "caller">;

interface RepeatParameters extends Omit<Repeat, "caller"> {
  readonly callerName: string;
  readonly requestId: string;
}

interface CountRow extends Omit<JobCount, "lastUpdated"> {
  readonly updatedMs: number;
}

const dayMs = 24 * 3_600_000;

const sameArguments = `kind = @kind AND caller_name = @callerName AND requested_name = @requestedName
  AND item_name = @itemName AND (kind = 'backup' OR backup_crn = @backupCrn)`;

/** Backups, restores and deletions as rows: recorded, found, listed, removed. `JobQueue` moves them on. */
export class JobStore {
  readonly #database: Database;
  readonly #insert: Statement<object>;
  readonly #get: Statement<{ crn: string }, JobRow>;
  readonly #byUuid: Statement<{ uuid: string }, object>;
  readonly #byRequest: Statement<RepeatParameters & { since: number }, JobRow>;
  readonly #waiting: Statement<RepeatParameters & { since: number }, JobRow>;
  readonly #unfinished: Statement<{ backupCrn: string }, JobRow>;
  readonly #deleted: Statement<{ backupCrn: string; since: number }, object>;
  readonly #terminate: Statement<{ backupCrn: string; now: number }>;
  readonly #remove: Statement<{ backupCrn: string }>;
  readonly #forget: Statement<{ before: number; beforeAtLeast: number; keep: number }>;
  readonly #removeWaiting: Statement<{ crn: string }>;
  readonly #counts: Statement<object, CountRow>;
  readonly #lists = new Map<string, Statement<object, ListedRow>>();

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(`
      INSERT INTO job (crn, kind, name, display_name, requested_name, backup_crn, entity, item_name, state, phase,
        included_namespaces, origin, caller_name, request_id, parameters, created_ms, updated_ms)
      VALUES (@crn, @kind, @name, @displayName, @requestedName, @backupCrn, @entity, @itemName, @state, @phase,
        @includedNamespaces, @origin, @callerName, @requestId, @parameters, @createdMs, @updatedMs)`);
    this.#get = database.prepare(`SELECT ${jobColumns} FROM job WHERE crn = @crn`);
    this.#byUuid = database.prepare("SELECT 1 FROM job WHERE substr(crn, -36) = lower(@uuid) LIMIT 1");
    this.#byRequest = database.prepare(`
      SELECT ${jobColumns} FROM job
      WHERE request_id <> '' AND request_id = @requestId AND ${sameArguments}
        AND (created_ms >= @since OR state IN ('NOT_STARTED', 'IN_PROGRESS'))
      ORDER BY seq LIMIT 1`);
    this.#waiting = database.prepare(`
      SELECT ${jobColumns} FROM job
      WHERE state = 'NOT_STARTED' AND created_ms >= @since AND ${sameArguments} ORDER BY seq LIMIT 1`);
    this.#unfinished = database.prepare(`
      SELECT ${jobColumns} FROM job
      WHERE backup_crn = @backupCrn AND state IN ('NOT_STARTED', 'IN_PROGRESS') ORDER BY seq`);
    this.#deleted = database.prepare(`
      SELECT 1 FROM job
      WHERE backup_crn = @backupCrn AND kind = 'deletion' AND state IN ('COMPLETED', 'PARTIALLY_FAILED')
        AND updated_ms >= @since LIMIT 1`);
    this.#counts = database.prepare(`
      SELECT kind, state, iif(item_name = '', entity, item_name) AS item, count(*) AS count, max(updated_ms) AS updatedMs
      FROM job GROUP BY kind, state, item`);
    this.#terminate = database.prepare(`
      UPDATE job SET state = 'TERMINATING', updated_ms = @now
      WHERE backup_crn = @backupCrn AND kind IN ('backup', 'restore') AND state NOT IN ('NOT_STARTED', 'IN_PROGRESS')`);
    this.#remove = database.prepare(
      `DELETE FROM job WHERE backup_crn = @backupCrn AND kind IN ('backup', 'restore', 'copy')`,
    );
    this.#forget = database.prepare(`
      DELETE FROM job
      WHERE kind = 'deletion' AND state IN ('COMPLETED', 'PARTIALLY_FAILED', 'FAILED')
        AND backup_crn NOT IN (SELECT crn FROM job WHERE kind = 'backup')
        AND (updated_ms < @before
          OR (updated_ms < @beforeAtLeast AND seq <= (
            SELECT seq FROM job WHERE kind = 'deletion' ORDER BY created_ms DESC, seq DESC LIMIT 1 OFFSET @keep)))`);
    this.#removeWaiting = database.prepare(`DELETE FROM job WHERE crn = @crn AND state = 'NOT_STARTED'`);
  }

  insert(job: NewJob): JobRecord {
    const { caller, createdAt, updatedAt, includedNamespaces, ...rest } = job;
    this.#insert.run({
      ...rest,
      includedNamespaces: JSON.stringify(includedNamespaces),
      callerName: caller.name,
      requestId: caller.requestId,
      createdMs: createdAt.getTime(),
      updatedMs: updatedAt.getTime(),
    });
    const record = this.get(job.crn);
    if (record === undefined) throw new JobConflictError(job.crn, "recorded");
    return record;
  }

  get(crn: string): JobRecord | undefined {
    const row = this.#get.get({ crn });
    return row && jobRecord(row);
  }

  /** Whether any job's CRN ends in the uuid, whatever its account and region. */
  hasUuid(uuid: string): boolean {
    return this.#byUuid.get({ uuid }) !== undefined;
  }

  /** The first jobs after a place, newest first. */
  list(filter: JobFilter, { after = start, limit }: { after?: ListPosition | undefined; limit: number }): ListedJob[] {
    const { displayName, backupCrn } = filter;
    const rows = this.#listStatement(filter).all({ displayName, backupCrn, ...after, limit });
    return rows.map(listedJob);
  }

  /**
   * The first job made by this very request: same caller, same id of the request (not an empty one), same arguments. One
   * that is finished and older than `since` is none.
   */
  findByRequest(repeat: Repeat, since: Date): JobRecord | undefined {
    const row = this.#byRequest.get({ ...repeatParameters(repeat), since: since.getTime() });
    return row && jobRecord(row);
  }

  /** The oldest job of the same caller with the same arguments that has not started and is no older than `since`. */
  findWaiting(repeat: Repeat, since: Date): JobRecord | undefined {
    const row = this.#waiting.get({ ...repeatParameters(repeat), since: since.getTime() });
    return row && jobRecord(row);
  }

  /** The jobs, in order of arrival, that make, restore or delete the backup and are not finished. */
  unfinished(backupCrn: string): JobRecord[] {
    return this.#unfinished.all({ backupCrn }).map(jobRecord);
  }

  /** How many jobs of each kind, state and item there are. Reads every row. */
  counts(): JobCount[] {
    return this.#counts.all({}).map(({ updatedMs, ...count }) => ({ ...count, lastUpdated: new Date(updatedMs) }));
  }

  /** Whether a deletion of the backup has succeeded since then. */
  wasDeleted(backupCrn: string, since: Date): boolean {
    return this.#deleted.get({ backupCrn, since: since.getTime() }) !== undefined;
  }

  /** Marks a finished backup and its restores as being deleted. Throws when the backup is not finished. */
  terminate(backupCrn: string, now: Date): void {
    const running = this.unfinished(backupCrn).find(({ kind }) => kind !== "deletion");
    const changes = this.#terminate.run({ backupCrn, now: now.getTime() });
    if (changes === 0 || running !== undefined) throw new JobConflictError(running?.crn ?? backupCrn, "finished");
  }

  /** Removes a job that has not started. Throws when it has. */
  removeWaiting(crn: string): void {
    if (this.#removeWaiting.run({ crn }) !== 1) throw new JobConflictError(crn, "NOT_STARTED");
  }

  /**
   * Removes the records of deletions that are over, of backups that are gone: after 30 days, and of more than a thousand
   * the oldest after one day.
   */
  forgetDeletions(now: Date): void {
    const daysAgo = (days: number) => now.getTime() - days * dayMs;
    this.#forget.run({ before: daysAgo(30), beforeAtLeast: daysAgo(1), keep: 1_000 });
  }

  /** Removes a backup, its restores and its copies with their messages, logs and notes. The rows of its deletions stay. */
  removeBackup(backupCrn: string): void {
    this.#remove.run({ backupCrn });
  }

  #listStatement(filter: JobFilter): Statement<object, ListedRow> {
    const states = [...new Set(filter.states)].sort();
    const shape = [filter.kind, filter.displayName === "", filter.backupCrn === "", ...states].join(" ");
    const known = this.#lists.get(shape);
    if (known !== undefined) return known;
    const statement = this.#database.prepare<object, ListedRow>(listSql(filter, states));
    this.#lists.set(shape, statement);
    return statement;
  }
}

/**
 * Lists the jobs of each state from the index that has them by age, and merges these lists: it reads no more than is
 * returned, however many jobs there are of these or other states.
 *
 * The kind, the states and the form of the limit are no parameters as they come: SQLite would plan the statement again
 * each time, which takes several times as long as reading a job.
 */
function listSql({ kind, displayName, backupCrn }: JobFilter, states: readonly JobState[]): string {
  const conditions = [
    `kind = '${kind}'`,
    ...(displayName === "" ? [] : ["display_name = @displayName"]),
    ...(backupCrn === "" ? [] : ["backup_crn = @backupCrn"]),
    "(created_ms, seq) < (@createdMs, @seq)",
  ].join(" AND ");
  const select = `SELECT ${listedColumns} FROM job WHERE ${conditions}`;
  const selects = states.length === 0 ? [select] : states.map((state) => `${select} AND state = '${state}'`);
  return `${selects.join(" UNION ALL ")} ORDER BY createdMs DESC, seq DESC LIMIT @limit + 0`;
}

function repeatParameters({ caller, kind, requestedName, itemName, backupCrn }: Repeat): RepeatParameters {
  return { kind, requestedName, itemName, backupCrn, callerName: caller.name, requestId: caller.requestId };
}
