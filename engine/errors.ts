import type { MessageCode } from "./message-codes.ts";

/** The closed set of what can go wrong. `server/errors.ts` gives each its code on the wire. */
const errorCodes = [
  "INVALID_ARGUMENT",
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "FAILED_PRECONDITION",
  "RESOURCE_EXHAUSTED",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNIMPLEMENTED",
  "INTERNAL",
] as const;
export type ErrorCode = (typeof errorCodes)[number];

/** Errors that a client can resolve itself, transient ones, and faults of ours: only some of these have a row on the operations page. */
type Uncoded = "INVALID_ARGUMENT" | "NOT_FOUND" | "RESOURCE_EXHAUSTED" | "UNAVAILABLE" | "UNIMPLEMENTED" | "INTERNAL";

export interface DrsErrorOptions extends ErrorOptions {
  /** The message's code on the operations page. */
  readonly id?: MessageCode | undefined;
}

/**
 * An error whose message is meant for the caller: it names the thing and says what to do, and holds no secret.
 * UNAVAILABLE means that the same call may succeed later; a job's phase is then tried again.
 */
export class DrsError extends Error {
  override readonly name: string = "DrsError";
  readonly code: ErrorCode;
  /** The message's code on the operations page, which names it in logs; missing where the page has no row for it. */
  readonly id: MessageCode | undefined;

  constructor(code: Uncoded, message: string, options?: DrsErrorOptions);
  constructor(code: ErrorCode, message: string, options: DrsErrorOptions & { readonly id: MessageCode | undefined });
  constructor(code: ErrorCode, message: string, { id, ...options }: DrsErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.id = id;
  }
}

/** An error's message, with its code in front where it has one. */
export function codedMessage(error: unknown): string {
  const id = idOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return id === undefined ? message : `${id} ${message}`;
}

/** The message code of any error. */
export function idOf(error: unknown): MessageCode | undefined {
  return error instanceof DrsError ? error.id : undefined;
}
