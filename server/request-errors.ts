import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";

/**
 * Longer messages are cut, in characters: gRPC sends them as headers, percent-encoded, for which clients have a limit,
 * 8 KiB where they follow https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests.
 */
const maxMessageLength = 2_000;

/** Connect's errors about a message that is not protobuf, or not compressed as its header says. */
const unreadable = /^(parse binary: |decompression failed$)/;

type Writable<T> = { -readonly [Member in keyof T]: T[Member] };

/**
 * Fixes Connect's errors about requests that it cannot read, on its own three protocols: one that is not protobuf, or not
 * compressed as it says, is the client's fault, INVALID_ARGUMENT, where Connect calls it INTERNAL; and an error that repeats
 * half a character of the request, or very much of it, could not be sent.
 *
 * No interceptor sees these errors of calls that are no streams. But a call's context, which a request gate is given, is aborted with the error before
 * the error is written.
 */
export function fixRequestErrors({ signal, timeoutMs }: Pick<HandlerContext, "signal" | "timeoutMs">): void {
  // A call that is aborted already would not be aborted again with the fault of its message.
  if ((timeoutMs() ?? 1) <= 0) throw new ConnectError("the client's time limit is over", Code.DeadlineExceeded);
  signal.addEventListener("abort", () => {
    const error: unknown = signal.reason;
    if (!(error instanceof ConnectError)) return;
    const writable: Writable<ConnectError> = blameClient(error);
    writable.rawMessage = shortened(error.rawMessage).toWellFormed();
  });
}

/** An error of Connect's, with the client's own fault called so: see `fixRequestErrors`. */
export function blameClient(error: ConnectError): ConnectError {
  const writable: Writable<ConnectError> = error;
  if (error.code === Code.Internal && unreadable.test(error.rawMessage)) writable.code = Code.InvalidArgument;
  return error;
}

function shortened(message: string): string {
  return message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)}...` : message;
}
