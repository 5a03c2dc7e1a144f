import type { Database, Statement } from "./database.ts";

export interface ArchiveRecord {
  /** The digest of the stored manifest, in hex. */
  readonly sha256: string;
  /** Whether it was written here, rather than found. */
  readonly isOwn: boolean;
}

interface ArchiveRow {
  readonly sha256: string;
  readonly isOwn: 0 | 1;
}

/** Which manifest each archive has, by the archive's folder in the storage. */
export class ArchiveStore {
  readonly #get: Statement<{ folder: string }, ArchiveRow>;
  readonly #set: Statement<ArchiveRow & { folder: string }>;
  readonly #remove: Statement<{ folder: string }>;

  constructor(database: Database) {
    this.#get = database.prepare(`SELECT sha256, is_own AS isOwn FROM archive WHERE folder = @folder`);
    this.#set = database.prepare(`
      INSERT INTO archive (folder, sha256, is_own) VALUES (@folder, @sha256, @isOwn)
      ON CONFLICT (folder) DO UPDATE SET sha256 = @sha256, is_own = @isOwn`);
    this.#remove = database.prepare(`DELETE FROM archive WHERE folder = @folder`);
  }

  get(folder: string): ArchiveRecord | undefined {
    const row = this.#get.get({ folder });
    return row && { sha256: row.sha256, isOwn: row.isOwn === 1 };
  }

  set(folder: string, { sha256, isOwn }: ArchiveRecord): void {
    this.#set.run({ folder, sha256, isOwn: isOwn ? 1 : 0 });
  }

  remove(folder: string): void {
    this.#remove.run({ folder });
  }
}
