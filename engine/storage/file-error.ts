import { DrsError, type ErrorCode } from "../errors.ts";
import type { MessageCode } from "../message-codes.ts";

/** An error of the file system as ours; everything else unchanged, as the source of a write throws its own. */
export function translateFileError(error: unknown, storage: string, key: string): unknown {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return error;
  const [code, text] =
    meanings[String(error.code)] ?? (["INTERNAL", `cannot be used (${String(error.code)})`] as const);
  return new DrsError(code, `${key} in ${storage} ${text}`, { id: storageMessage(code), cause: error });
}

/** The message code of what a storage has answered. */
export function storageMessage(code: ErrorCode): MessageCode | undefined {
  if (code === "NOT_FOUND") return undefined; // which is for the caller to judge
  if (code === "UNAVAILABLE") return "DRS-A010";
  return code === "FAILED_PRECONDITION" ? "DRS-A011" : "DRS-A009";
}

/** Whether the error says that a path is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

const full = ["RESOURCE_EXHAUSTED", "cannot be written, the disk or its quota is full: make room"] as const;
const forbidden = [
  "PERMISSION_DENIED",
  "may not be used: give the service's user the right to read and write",
] as const;
const missing = ["NOT_FOUND", "is not there"] as const;
const passing = ["UNAVAILABLE", "cannot be reached at the moment"] as const;

const meanings: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: full,
  EDQUOT: full,
  EFBIG: full,
  EACCES: forbidden,
  EPERM: forbidden,
  EROFS: ["PERMISSION_DENIED", "may not be written: the file system is read-only"],
  ENOENT: missing,
  ENOTDIR: missing,
  EISDIR: missing,
  EMFILE: passing,
  ENFILE: passing,
  EAGAIN: passing,
  EBUSY: passing,
  ETIMEDOUT: passing,
  // Of a network's file system whose server is away for a moment.
  EIO: passing,
  ENOTCONN: passing,
  ENXIO: passing,
  ESTALE: passing,
};
