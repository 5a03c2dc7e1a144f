import type { Database, Statement } from "./database.ts";

export interface MessageRecord {
  readonly level: "warning" | "error";
  readonly namespace: string;
  readonly text: string;
  /** Missing where the operations page has no row for it, and in messages of earlier versions. */
  readonly code?: string | undefined;
  readonly time: Date;
}

interface MessageRow extends Omit<MessageRecord, "code" | "time"> {
  readonly code: string | null;
  readonly timeMs: number;
}

/** Warnings and errors of jobs. */
export class MessageStore {
  readonly #add: Statement<MessageRow & { job: number }>;
  readonly #list: Statement<{ job: number }, MessageRow & { id: number }>;

  constructor(database: Database) {
    this.#add = database.prepare(`
      INSERT INTO message (job, level, namespace, text, code, time_ms) VALUES (@job, @level, @namespace, @text, @code, @timeMs)
      ON CONFLICT (job, level, namespace, text) DO NOTHING`);
    this.#list = database.prepare(`
      SELECT id, level, namespace, text, code, time_ms AS timeMs FROM message WHERE job = @job`);
  }

  /** Records a message; false when the job has it already. */
  add(job: number, { level, namespace, text, code, time }: MessageRecord): boolean {
    return this.#add.run({ job, level, namespace, text, code: code ?? null, timeMs: time.getTime() }) === 1;
  }

  /** In the order they were recorded. */
  list(job: number): MessageRecord[] {
    // SQLite's own sorting would take longer than all the rest of a describe.
    const rows = this.#list.all({ job }).sort((a, b) => a.id - b.id);
    return rows.map(({ level, namespace, text, code, timeMs }) => ({
      level,
      namespace,
      text,
      ...(code !== null && { code }),
      time: new Date(timeMs),
    }));
  }
}
