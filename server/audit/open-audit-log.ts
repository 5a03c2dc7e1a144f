import { DrsError } from "../../engine/errors.ts";
import type { Logger } from "../../engine/logger.ts";
import { AuditLog } from "./audit-log.ts";

/** Opens the audit log for the rest of the process; throws what to do when it cannot. On SIGHUP it goes on in a new file: see `AuditLog.reopen`. */
export function openAuditLog(path: string, log: Logger): AuditLog {
  const audit = openOrSayWhy(path);
  process.on("SIGHUP", () => {
    try {
      audit.reopen();
      log.info({ audit: path }, "audit log reopened");
    } catch (err) {
      log.error({ err, audit: path }, "the audit log cannot be reopened, so the former file stays in use");
    }
  });
  return audit;
}

function openOrSayWhy(path: string): AuditLog {
  try {
    return new AuditLog(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? ": make its folder" : ` (${code})`;
    throw new DrsError("FAILED_PRECONDITION", `audit log ${path} cannot be opened${why}`, { id: "DRS-S007", cause });
  }
}
