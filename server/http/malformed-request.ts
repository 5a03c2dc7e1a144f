import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

/** Node's own answers to these; anything else that is not HTTP is a bad request. */
const statuses: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
};

/**
 * Answers what never becomes a request, as it is no HTTP, or its headers are too long, with the body and the request id that
 * every reply has. A client that is too slow gets no answer, as a reply may have begun and it may never read another.
 */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || error.code === "ERR_HTTP_REQUEST_TIMEOUT" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statuses[error.code ?? ""] ?? 400;
  const message = `the request cannot be read: ${STATUS_CODES[status]?.toLowerCase()} (${error.code ?? "unknown"})`;
  const body = JSON.stringify({ code: "INVALID_ARGUMENT", message });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-altus-request-id: ${randomUUID()}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
