import type { Readable } from "node:stream";
import type { Response, ServerRequest } from "./call.ts";

/** How long a client may go on sending a request that has been answered, in milliseconds. */
const stopGrace = 1_000;

/**
 * A request's bytes as they come. A reader that stops early leaves the rest to `drainOnceAnswered`: by default Node abandons a
 * request that is not read completely, with everything after it on its connection.
 */
export function bodyOf(request: ServerRequest): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}

/**
 * The unread rest of a request keeps its HTTP/2 stream open, and its bytes in memory, for as long as the connection
 * lasts, so that a client which goes on sending loses the stream (RFC 9113, 8.1); on HTTP/1.1 the connection's next request waits behind it.
 */
export function drainOnceAnswered(request: ServerRequest, response: Response): void {
  if (!("stream" in response)) return void response.once("finish", () => drain(request));
  // The response of HTTP/2 itself is finished only when its stream is closed.
  const { stream } = response;
  stream.once("finish", () => {
    drain(stream);
    if (!request.complete) setTimeout(() => stream.destroy(), stopGrace).unref();
  });
}

function drain(unread: Readable): void {
  unread.removeAllListeners("data").removeAllListeners("readable").resume();
}
