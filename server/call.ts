import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { createContextKey } from "@connectrpc/connect";
import type { Caller } from "../engine/model.ts";

export type ServerRequest = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

/** One request on its way through the server. */
export interface Call {
  /** Returned with every reply and logged: the client's own where it sent a usable one, else made here. */
  readonly requestId: string;
  readonly caller: Caller;
  /** How it ended, for the log: REFUSED until a handler has been called, then OK or the error's code. */
  outcome: string;
}

/** The call among Connect's context values. */
export const currentCall = createContextKey<Call>(
  { requestId: "", caller: { name: "", requestId: "" }, outcome: "REFUSED" },
  { description: "call" },
);

export function startCall(headers: IncomingHttpHeaders): Call {
  const caller = callerOf(headers);
  return { requestId: caller.requestId || randomUUID(), caller, outcome: "REFUSED" };
}

/**
 * Who calls, as far as the request says. Nothing is proven here: the name serves only to recognise a client's retry. An
 * id made by this service is not the client's, so it is left out.
 */
function callerOf(headers: IncomingHttpHeaders): Caller {
  const requestId = [headers["x-request-id"], headers["x-altus-request-id"]].find(isUsableId) ?? "";
  return { name: accessKeyId(headers["x-altus-auth"]), requestId };
}

/** Short enough and plain enough to be sent back and logged. */
function isUsableId(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]{1,128}$/.test(value);
}

/** The key named in `x-altus-auth: <base64url of JSON>.<signature>`. */
function accessKeyId(header: string | string[] | undefined): string {
  if (typeof header !== "string") return "";
  try {
    const parameters: unknown = JSON.parse(Buffer.from(header.split(".", 1)[0] ?? "", "base64url").toString());
    const id = (parameters as { access_key_id?: unknown } | null)?.access_key_id;
    return typeof id === "string" ? id : "";
  } catch {
    return "";
  }
}
