import type { Message } from "@bufbuild/protobuf";
import { DrsError } from "../../engine/errors.ts";
import type { Logger } from "../../engine/logger.ts";
import type { Call } from "../http/call.ts";
import type { AuditLog } from "./audit-log.ts";

/** Limit of any text under a client's control, in UTF-16 code units. */
const maxLength = 256;
/** The members of requests and replies that are audited. No other is: names and logs may hold anything. */
const crnMembers = ["crn", "backupCrn", "restoreCrn", "deleteBackupCrn"] as const;

/**
 * The lines of one call: `accepted` before something is changed, and `ended` when it is over, whichever comes last of
 * its reply and its handler, which goes on without its client. A stream's handler ends with it.
 */
export class CallAudit {
  readonly #audit: AuditLog;
  readonly #log: Logger;
  readonly #call: Call;
  #crn: string | undefined;
  #createdCrn: string | undefined;
  #isHandled = true;
  #isReplied = false;
  #isWritten = false;

  constructor(audit: AuditLog, log: Logger, call: Call) {
    this.#audit = audit;
    this.#log = log;
    this.#call = call;
  }

  /** Its request has been understood, and a handler is asked. */
  begin(request: Message | undefined): void {
    this.#isHandled = false;
    this.#crn = request && crnOf(request);
  }

  /**
   * Says on the disk that the call is about to change something. Throws UNAVAILABLE when that cannot be said: then it
   * must not.
   */
  accept(): void {
    // Its client may have left before: that was not the end.
    this.#isWritten = false;
    try {
      this.#audit.append(this.#line("accepted", {}));
      this.#audit.sync();
    } catch (cause) {
      const message = "the audit log cannot be written, so nothing was done: see the service's own log";
      throw new DrsError("UNAVAILABLE", message, { id: "DRS-C019", cause });
    }
  }

  /** The handler is done, well or not. */
  end(reply: Message | undefined): void {
    this.#isHandled = true;
    this.#createdCrn = reply && crnOf(reply);
    this.#finish();
  }

  /** The reply is over, sent or not. */
  replied(): void {
    this.#isReplied = true;
    this.#finish();
  }

  #finish(): void {
    if (!this.#isHandled || !this.#isReplied || this.#isWritten || this.#call.isOneOfMany) return;
    this.#isWritten = true;
    const { outcome: result, messageCode: code } = this.#call;
    const ms = Math.round(performance.now() - this.#call.started);
    try {
      this.#audit.append(this.#line("ended", { createdCrn: this.#createdCrn, result, code, ms }));
    } catch (err) {
      this.#log.error(
        { code: "DRS-C019", err, requestId: this.#call.requestId, result },
        "the audit log cannot be written",
      );
    }
  }

  #line(event: string, more: object): string {
    const { requestId, identity, address, target, path } = this.#call;
    return auditLine({
      time: new Date().toISOString(),
      event,
      requestId,
      caller: identity?.name,
      provenBy: identity?.provenBy,
      address,
      method: target?.name ?? path,
      crn: this.#crn,
      ...more,
    });
  }
}

/**
 * One line of ASCII, whatever clients put into it: JSON escapes what ends a line, and what merely looks so to some
 * readers, or turns the text's direction, is escaped too.
 */
function auditLine(fields: object): string {
  const json = JSON.stringify(fields, (_name, value: unknown) =>
    typeof value === "string" && value.length > maxLength ? `${value.slice(0, maxLength)}...` : value,
  );
  return json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function crnOf(message: Message): string | undefined {
  const members = message as Partial<Record<(typeof crnMembers)[number], string>>;
  return crnMembers.map((name) => members[name]).find((crn) => crn !== undefined && crn !== "");
}
