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

/**
 * An error whose message is meant for the caller: it names the thing and says what to do, and holds no secret.
 * UNAVAILABLE means that the same call may succeed later; a job's phase is then tried again.
 */
export class DrsError extends Error {
  override readonly name: string = "DrsError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
