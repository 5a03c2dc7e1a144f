import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { createContextKey } from "@connectrpc/connect";
import type { Caller } from "../engine/model.ts";
import type { Identity } from "./callers/authenticator.ts";

export type ServerRequest = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

/** One request on its way through the server. */
export class Call {
  readonly request: ServerRequest;
  /** Where it comes from, in the eyes of the network: a proxy's address, where there is one. */
  readonly address: string;
  /** Returned with every reply and logged: the client's own where it sent a usable one, else made here. */
  readonly requestId: string;
  /** How it ended, for the log: REFUSED until a handler has been called, then OK or the error's code. */
  outcome = "REFUSED";
  /** Who calls, proven; missing until that is known, and where nobody is asked. */
  identity: Identity | undefined;
  /** Refused like many others of the same caller: it leaves no trace, so that a flood fills no disk. */
  isOneOfMany = false;
  readonly #clientsId: string;

  constructor(request: ServerRequest) {
    this.request = request;
    this.address = request.socket.remoteAddress ?? "";
    this.#clientsId = clientsRequestId(request.headers);
    this.requestId = this.#clientsId || randomUUID();
  }

  /** What a client's retry is recognised by. An id made by this service is not the client's, so it is left out. */
  get caller(): Caller {
    return { name: this.identity?.name ?? "", requestId: this.#clientsId };
  }
}

/** The call among Connect's context values. Every request has one. */
export const currentCall = createContextKey<Call>(undefined as never, { description: "call" });

function clientsRequestId(headers: IncomingHttpHeaders): string {
  return [headers["x-request-id"], headers["x-altus-request-id"]].find(isUsableId) ?? "";
}

/** Short enough and plain enough to be sent back and logged. */
function isUsableId(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]{1,128}$/.test(value);
}
