import type { Message } from "@bufbuild/protobuf";
import type { Logger } from "../../engine/logger.ts";
import type { Call, Target } from "../http/call.ts";
import type { Gate } from "../gate/gate.ts";
import type { AuditLog } from "./audit-log.ts";
import { CallAudit } from "./call-audit.ts";

/** Audits the calls of methods that declare it, those of undeclared methods, and those for paths that are none. */
export class AuditGate implements Gate {
  readonly #audit: AuditLog;
  readonly #log: Logger;
  readonly #calls = new WeakMap<Call, CallAudit>();

  constructor(audit: AuditLog, log: Logger) {
    this.#audit = audit;
    this.#log = log;
  }

  /** Throws UNAVAILABLE when a change cannot be audited. */
  begin(call: Call, { rule }: Target, request: Message | undefined): void {
    const audit = this.#of(call);
    audit?.begin(request);
    if (rule.changes) audit?.accept();
  }

  end(call: Call, reply: Message | undefined): void {
    this.#of(call)?.end(reply);
  }

  replied(call: Call): void {
    this.#of(call)?.replied();
  }

  #of(call: Call): CallAudit | undefined {
    const { target } = call;
    if (target && !target.rule.isAudited) return undefined;
    const audit = this.#calls.get(call) ?? new CallAudit(this.#audit, this.#log, call);
    this.#calls.set(call, audit);
    return audit;
  }
}
