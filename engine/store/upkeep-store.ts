import type { Database, Statement } from "./database.ts";
import { jobColumns, jobRecord } from "./job-record.ts";
import type { JobRecord, JobRow } from "./job-record.ts";

/** The key of an upkeep's note: when the repository was found whole last, as far as it was read, in RFC 3339. */
export const checkedNote = "checked";
/** The key of an upkeep's note: what was found damaged, as `Damage`; missing when nothing was. */
export const damageNote = "damage";

/** What a check has found. */
export interface Damage {
  /** In restic's words. */
  readonly text: string;
  /** The copies that cannot be read whole, as far as restic can tell. */
  readonly copies: readonly DamagedCopy[];
}

export interface DamagedCopy {
  readonly backupUuid: string;
  readonly namespace: string;
  readonly claim: string;
}

const keptUpkeeps = 10;

/** The upkeeps of the repository of copies, as jobs. */
export class UpkeepStore {
  readonly #last: Statement<object, JobRow>;
  readonly #remove: Statement<{ keep: number }>;
  readonly #copies: Statement<object, { ended: number; unfinished: number }>;

  constructor(database: Database) {
    this.#last = database.prepare(`SELECT ${jobColumns} FROM job WHERE kind = 'upkeep' ORDER BY seq DESC LIMIT 1`);
    this.#remove = database.prepare(`
      DELETE FROM job
      WHERE kind = 'upkeep' AND state IN ('COMPLETED', 'PARTIALLY_FAILED', 'FAILED')
        AND seq <= (SELECT seq FROM job WHERE kind = 'upkeep' ORDER BY seq DESC LIMIT 1 OFFSET @keep)`);
    this.#copies = database.prepare(`
      SELECT count(*) FILTER (WHERE state NOT IN ('NOT_STARTED', 'IN_PROGRESS')) AS ended,
        count(*) FILTER (WHERE state IN ('NOT_STARTED', 'IN_PROGRESS')) AS unfinished
      FROM job WHERE kind = 'copy'`);
  }

  last(): JobRecord | undefined {
    const row = this.#last.get({});
    return row && jobRecord(row);
  }

  /**
   * Whether there is something to look after, and no copy is under way or waits. The records of copies go with their backups, but not
   * what the repository has of them.
   */
  hasTime(): boolean {
    const { ended, unfinished } = this.#copies.get({}) ?? { ended: 0, unfinished: 0 };
    return (ended > 0 || this.last() !== undefined) && unfinished === 0;
  }

  /** Removes the records of those that are over but the latest, with their messages, logs and notes. */
  removeOld(): void {
    this.#remove.run({ keep: keptUpkeeps });
  }
}
