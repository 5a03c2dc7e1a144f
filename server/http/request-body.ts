import type { Readable } from "node:stream";
import type { Response, ServerRequest } from "./call.ts";

/**
 * A request's bytes as they come. A reader that stops early leaves the rest to `drainOnceAnswered`: by default Node abandons a
 * request that is not read completely, with everything after it on its connection.
 */
export function bodyOf(request: ServerRequest): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}

/**
 * The unread rest of a request keeps its HTTP/2 stream open, and its bytes in memory, for as long as the connection
 * lasts; on HTTP/1.1 the connection's next request waits behind it.
 */
export function drainOnceAnswered(request: ServerRequest, response: Response): void {
  // The response of HTTP/2 itself is finished only when its stream is closed.
  if ("stream" in response) response.stream.once("finish", () => drain(response.stream));
  else response.once("finish", () => drain(request));
}

function drain(unread: Readable): void {
  unread.removeAllListeners("data").removeAllListeners("readable").resume();
}
