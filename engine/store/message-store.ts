import type { Database, Statement } from "./database.ts";

export interface MessageRecord {
  readonly level: "warning" | "error";
  readonly namespace: string;
  readonly text: string;
  readonly time: Date;
}

interface MessageRow {
  readonly level: "warning" | "error";
  readonly namespace: string;
  readonly text: string;
  readonly timeMs: number;
}

/** Warnings and errors of jobs. */
export class MessageStore {
  readonly #add: Statement<MessageRow & { job: number }>;
  readonly #list: Statement<{ job: number }, MessageRow & { id: number }>;

  constructor(database: Database) {
    this.#add = database.prepare(`
      INSERT INTO message (job, level, namespace, text, time_ms) VALUES (@job, @level, @namespace, @text, @timeMs)
      ON CONFLICT (job, level, namespace, text) DO NOTHING`);
    this.#list = database.prepare(`
      SELECT id, level, namespace, text, time_ms AS timeMs FROM message WHERE job = @job`);
  }

  /** Records a message; false when the job has it already. */
  add(job: number, { level, namespace, text, time }: MessageRecord): boolean {
    return this.#add.run({ job, level, namespace, text, timeMs: time.getTime() }) === 1;
  }

  /** In the order they were recorded. */
  list(job: number): MessageRecord[] {
    // SQLite's own sorting would take longer than all the rest of a describe.
    const rows = this.#list.all({ job }).sort((a, b) => a.id - b.id);
    return rows.map(({ level, namespace, text, timeMs }) => ({ level, namespace, text, time: new Date(timeMs) }));
  }
}
