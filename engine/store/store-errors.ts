import { DrsError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import type { MessageCode } from "../message-codes.ts";

/**
 * The bookkeeping itself failed: the disk is full, the file cannot be read. The caller knows nothing about what
 * was recorded last, and can only look again later.
 */
export class StoreError extends DrsError {
  override readonly name = "StoreError";
}

/** The job is not in the state that a change expected: somebody else moved it, and the change did not happen. */
export class JobConflictError extends DrsError {
  override readonly name = "JobConflictError";

  constructor(crn: string, expected: string) {
    super("FAILED_PRECONDITION", `${crn} is no longer ${expected}`, { id: "DRS-C024" });
  }
}

interface Meaning {
  readonly code: ErrorCode;
  readonly text: string;
  readonly id?: MessageCode;
}

/** By the first two parts of SQLite's code: `SQLITE_IOERR` of `SQLITE_IOERR_FSYNC`. */
const meanings: Readonly<Record<string, Meaning>> = {
  SQLITE_FULL: { code: "RESOURCE_EXHAUSTED", text: "disk full: free some space, the jobs then go on" },
  SQLITE_NOMEM: { code: "RESOURCE_EXHAUSTED", text: "out of memory" },
  SQLITE_IOERR: { code: "INTERNAL", text: "the disk cannot be read or written: check it" },
  SQLITE_CANTOPEN: { code: "INTERNAL", text: "the file cannot be opened: check its folder and permissions" },
  SQLITE_READONLY: { code: "INTERNAL", text: "the file cannot be written: check its permissions" },
  SQLITE_CORRUPT: {
    code: "DATA_LOSS",
    text: "the file is damaged: move it away, a new one finds the backups in storage",
  },
  SQLITE_NOTADB: { code: "DATA_LOSS", text: "the file is not a SQLite database" },
  SQLITE_BUSY: {
    code: "FAILED_PRECONDITION",
    text: "another process uses the file: only one may run at a time",
    id: "DRS-S005",
  },
};

/** An error of SQLite or the file system about the database, in our words. Any other error stays as it is. */
export function storeError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error instanceof DrsError || !("code" in error)) return error;
  const code = String(error.code);
  const meaning = meanings[code.split("_").slice(0, 2).join("_")];
  if (meaning !== undefined) {
    return new StoreError(meaning.code, `database ${file}: ${meaning.text} (${code})`, {
      id: meaning.id ?? "DRS-S009",
      cause: error,
    });
  }
  if (!code.startsWith("SQLITE_") && !("syscall" in error)) return error;
  return new StoreError("INTERNAL", `database ${file}: ${error.message}`, { id: "DRS-S009", cause: error });
}
