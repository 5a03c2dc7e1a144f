import { ArchiveStore } from "./archive-store.ts";
import { CopyStore } from "./copy-store.ts";
import { Database } from "./database.ts";
import { JobQueue } from "./job-queue.ts";
import { JobStore } from "./job-store.ts";
import { LogStore } from "./log-store.ts";
import { MessageStore } from "./message-store.ts";
import { NoteStore } from "./note-store.ts";
import { UpkeepStore } from "./upkeep-store.ts";

/** The bookkeeping: the tables of one database. */
export interface Store {
  readonly database: Database;
  /** The identity of the service that works with this database, the same after each start. */
  readonly serviceId: string;
  readonly jobs: JobStore;
  readonly queue: JobQueue;
  readonly messages: MessageStore;
  readonly logs: LogStore;
  readonly notes: NoteStore;
  readonly archives: ArchiveStore;
  readonly copies: CopyStore;
  readonly upkeep: UpkeepStore;
}

/** Opens the bookkeeping in a file; see `Database`. */
export function openStore(file: string): Store {
  const database = new Database(file);
  return {
    database,
    serviceId: database.prepare<object, { id: string }>("SELECT id FROM service").get({})?.id ?? "",
    jobs: new JobStore(database),
    queue: new JobQueue(database),
    messages: new MessageStore(database),
    logs: new LogStore(database),
    notes: new NoteStore(database),
    archives: new ArchiveStore(database),
    copies: new CopyStore(database),
    upkeep: new UpkeepStore(database),
  };
}
