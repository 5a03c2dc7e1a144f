import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Response } from "./call.ts";

/** Whether nobody is there any more to hear the reply. */
export function isGone(response: Response): boolean {
  return "stream" in response ? response.stream.destroyed : response.destroyed;
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
