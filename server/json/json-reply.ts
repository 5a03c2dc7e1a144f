import { once } from "node:events";
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { constants } from "node:http2";
import type { Response } from "../http/call.ts";

/** Whether nobody is there any more to hear the reply. */
export function isGone(response: Response): boolean {
  return "stream" in response ? response.stream.destroyed : response.destroyed;
}

/**
 * Sends a JSON reply as it is made, no faster than the client reads. An error in the pieces leaves the reply unfinished:
 * see `cutOff`.
 */
export async function writeJsonPieces(response: Response, pieces: AsyncIterable<string>): Promise<void> {
  // The two kinds of responses share these calls, but not their overloads.
  const stream = response as ServerResponse;
  stream.writeHead(200, { "content-type": "application/json" });
  for await (const piece of pieces) {
    if (isGone(response)) return;
    if (!stream.write(piece)) await drained(stream);
  }
  stream.end();
}

/** Ends a reply that has begun so that no client takes it for whole. */
export function cutOff(response: Response): void {
  if (!("stream" in response)) response.destroy();
  // Node keeps a stream that its client has closed for as long as nobody reads the rest of its request.
  else if (response.stream.closed) response.stream.destroy();
  else response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
}

async function drained(stream: ServerResponse): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  await Promise.race([once(stream, "drain", { signal }), once(stream, "close", { signal })]);
  waiting.abort();
}

/** Sends a whole JSON reply; nothing when the reply has begun or the client is gone. */
export function writeJson(response: Response, status: number, json: string, headers: OutgoingHttpHeaders = {}): void {
  if (response.headersSent || isGone(response)) return;
  const bytes = Buffer.from(json);
  // The two kinds of responses share these calls, but not their overloads.
  (response as ServerResponse).writeHead(status, {
    ...headers,
    "content-type": "application/json",
    "content-length": bytes.length,
  });
  (response as ServerResponse).end(bytes);
}
