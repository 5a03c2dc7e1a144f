import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";

/** What Connect says of a message that is no protobuf, or not compressed as its header says. */
const unreadable = /^(parse binary: |decompression failed$)/;

type Writable<T> = { -readonly [Member in keyof T]: T[Member] };

/**
 * Mends what Connect says of a request that it cannot read, on its own three protocols: one that is no protobuf, or not
 * compressed as it says, is the client's fault, INVALID_ARGUMENT, where Connect calls it INTERNAL; and an error that repeats
 * half a character of the request could not be sent.
 *
 * No interceptor sees these errors. But a call's context, which a request gate is given, is aborted with the error before
 * the error is written.
 */
export function mendRequestErrors({ signal }: Pick<HandlerContext, "signal">): void {
  signal.addEventListener("abort", () => {
    const error: unknown = signal.reason;
    if (!(error instanceof ConnectError)) return;
    const writable: Writable<ConnectError> = error;
    if (error.code === Code.Internal && unreadable.test(error.rawMessage)) writable.code = Code.InvalidArgument;
    writable.rawMessage = error.rawMessage.toWellFormed();
  });
}
