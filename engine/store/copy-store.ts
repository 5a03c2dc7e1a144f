import type { Database, Statement } from "./database.ts";
import { jobColumns, jobRecord } from "./job-record.ts";
import type { JobRecord, JobRow } from "./job-record.ts";

/** The key of a copy's note: how many volumes of its backup are not copied. */
export const uncopiedNote = "uncopied";

/** The key of a copy's note: its backup was found in storage. Its copies may have been moved along, to a repository with another URL. */
export const foundNote = "found";

/** The key of a copy's note: the messages of the copy that it repeats. */
export const earlierMessagesNote = "messages";

/** The copies of backups, as jobs: of each backup one, the last. */
export class CopyStore {
  readonly #last: Statement<{ backupCrn: string }, JobRow>;
  readonly #due: Statement<{ before: number }, JobRow>;
  readonly #remove: Statement<{ backupCrn: string }>;
  readonly #uncopied: Statement<object, { volumes: number | null }>;

  constructor(database: Database) {
    this.#last = database.prepare(`
      SELECT ${jobColumns} FROM job WHERE backup_crn = @backupCrn AND kind = 'copy' ORDER BY seq DESC LIMIT 1`);
    this.#due = database.prepare(`
      SELECT ${jobColumns} FROM job
      WHERE kind = 'copy' AND state IN ('PARTIALLY_FAILED', 'FAILED') AND cancelled_by IS NULL AND updated_ms < @before
        AND backup_crn IN (SELECT crn FROM job WHERE kind = 'backup' AND state IN ('COMPLETED', 'PARTIALLY_FAILED'))
      ORDER BY seq`);
    this.#remove = database.prepare(`
      DELETE FROM job
      WHERE backup_crn = @backupCrn AND kind = 'copy' AND state IN ('COMPLETED', 'PARTIALLY_FAILED', 'FAILED')`);
    this.#uncopied = database.prepare(`
      SELECT sum(value) AS volumes FROM note JOIN job ON job.seq = note.job
      WHERE job.kind = 'copy' AND note.key = '${uncopiedNote}'`);
  }

  /** The copy of a backup that was recorded last. */
  last(backupCrn: string): JobRecord | undefined {
    const row = this.#last.get({ backupCrn });
    return row && jobRecord(row);
  }

  /** The copies that have not copied all, ended before then, and were not cancelled, of backups that are there. */
  due(before: Date): JobRecord[] {
    return this.#due.all({ before: before.getTime() }).map(jobRecord);
  }

  /** Removes the records of a backup's copies that are over, with their messages, logs and notes. */
  removeFinished(backupCrn: string): void {
    this.#remove.run({ backupCrn });
  }

  /** How many volumes of backups are not copied, as far as their copies have begun. */
  uncopiedVolumes(): number {
    return this.#uncopied.get({})?.volumes ?? 0;
  }
}
