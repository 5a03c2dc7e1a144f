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
  readonly #list: Statement<{ job: number }, MessageRow>;

  constructor(database: Database) {
    this.#add = database.prepare(`
      INSERT INTO message (job, level, namespace, text, time_ms) VALUES (@job, @level, @namespace, @text, @timeMs)
      ON CONFLICT (job, level, namespace, text) DO NOTHING`);
    this.#list = database.prepare(`
      SELECT level, namespace, text, time_ms AS timeMs FROM message WHERE job = @job ORDER BY id`);
  }

  /** Records a message; false when the job has it already. */
  add(job: number, { level, namespace, text, time }: MessageRecord): boolean {
    return this.#add.run({ job, level, namespace, text, timeMs: time.getTime() }) === 1;
  }

  /** In the order they were recorded. */
  list(job: number): MessageRecord[] {
    return this.#list.all({ job }).map(({ timeMs, ...rest }) => ({ ...rest, time: new Date(timeMs) }));
  }
}
