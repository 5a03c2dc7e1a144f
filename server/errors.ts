import type { OutgoingHttpHeaders } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "../engine/logger.ts";
import { DrsError, type ErrorCode } from "../engine/errors.ts";
import type { MessageCode } from "../engine/message-codes.ts";
import type { ErrorJson } from "../gen/drscp/v1/error_pb.ts";
import { blameClient } from "./request-errors.ts";

/** The engine's codes on gRPC, gRPC-Web and Connect. */
const connectCodes: Readonly<Record<ErrorCode, Code>> = {
  INVALID_ARGUMENT: Code.InvalidArgument,
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  NOT_FOUND: Code.NotFound,
  ALREADY_EXISTS: Code.AlreadyExists,
  FAILED_PRECONDITION: Code.FailedPrecondition,
  RESOURCE_EXHAUSTED: Code.ResourceExhausted,
  UNAVAILABLE: Code.Unavailable,
  DATA_LOSS: Code.DataLoss,
  UNIMPLEMENTED: Code.Unimplemented,
  INTERNAL: Code.Internal,
};

/**
 * The codes and statuses of the JSON paths. Their clients know a shorter list than gRPC's, so that some codes share one.
 * 503 and 429 make those clients repeat the call; 500 does not.
 */
const jsonCodes: Readonly<Record<Code, readonly [status: number, code: string]>> = {
  [Code.InvalidArgument]: [400, "INVALID_ARGUMENT"],
  [Code.OutOfRange]: [400, "INVALID_ARGUMENT"],
  [Code.Unauthenticated]: [401, "UNAUTHENTICATED"],
  [Code.PermissionDenied]: [403, "PERMISSION_DENIED"],
  [Code.NotFound]: [404, "NOT_FOUND"],
  [Code.AlreadyExists]: [409, "ALREADY_EXISTS"],
  [Code.FailedPrecondition]: [409, "FAILED_PRECONDITION"],
  [Code.Aborted]: [409, "FAILED_PRECONDITION"],
  [Code.ResourceExhausted]: [429, "RESOURCE_EXHAUSTED"],
  [Code.Canceled]: [500, "UNKNOWN"],
  [Code.Unknown]: [500, "UNKNOWN"],
  [Code.DeadlineExceeded]: [500, "UNKNOWN"],
  [Code.Internal]: [500, "INTERNAL"],
  [Code.DataLoss]: [500, "INTERNAL"],
  [Code.Unimplemented]: [501, "UNIMPLEMENTED"],
  [Code.Unavailable]: [503, "UNAVAILABLE"],
};

/** The statuses of the JSON paths' errors, each with its codes: for those who describe these paths. */
export const jsonErrors: ReadonlyMap<number, readonly string[]> = new Map(
  [...Map.groupBy(Object.values(jsonCodes), ([status]) => status)].map(([status, errors]) => [
    status,
    [...new Set(errors.map(([, code]) => code))],
  ]),
);

/** A code as every log, audit and metric spells it, whatever the call's protocol: `INVALID_ARGUMENT`. */
export function codeName(code: Code): string {
  return Code[code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

/** An error as the JSON paths report it. */
export function toJsonError(error: ConnectError): {
  status: number;
  headers: OutgoingHttpHeaders;
  body: Required<ErrorJson>;
} {
  const [status, code] = jsonCodes[error.code];
  const messageCode = messageCodeOf(error);
  const headers = messageCode === undefined ? {} : { [messageCodeHeader]: messageCode };
  return { status, headers, body: { code, message: error.rawMessage } };
}

/** Carries an error's message code to clients, beside the vendor's API: a header, or gRPC's trailer. */
const messageCodeHeader = "x-drs-message-code";

/** An error of Connect's with a message code. */
export function codedError(code: Code, id: MessageCode | undefined, message: string, cause?: unknown): ConnectError {
  return new ConnectError(message, code, id && { [messageCodeHeader]: id }, undefined, cause);
}

/** The message code of a translated error. */
export function messageCodeOf({ metadata }: ConnectError): string | undefined {
  return metadata.get(messageCodeHeader) ?? undefined;
}

/**
 * Any error as a ConnectError. A DrsError's message is meant for the caller; what else comes is a fault of ours: it is
 * logged whole, and the caller learns only the id to ask about.
 */
export function toConnectError(error: unknown, requestId: string, log: Logger): ConnectError {
  if (error instanceof ConnectError) return blameClient(error);
  if (error instanceof DrsError) {
    if (error.cause !== undefined) log.warn({ err: error, requestId }, "call refused");
    return codedError(connectCodes[error.code], error.id, error.message, error);
  }
  log.error({ err: error, requestId }, "call failed");
  return new ConnectError(`internal error, request id ${requestId}`, Code.Internal, undefined, undefined, error);
}
