import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { DescMethod } from "@bufbuild/protobuf";
import { createContextKey } from "@connectrpc/connect";
import type { Caller } from "../../engine/model.ts";
import type { Identity } from "../callers/identity.ts";
import type { MethodRule } from "../gate/method-rule.ts";

export type ServerRequest = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

/** Node's handler of each request. */
export type RequestListener = (request: ServerRequest, response: Response) => void;

/** A method, as a call asks for it by any protocol. */
export interface Target {
  readonly method: DescMethod;
  /** As the audit log and the metrics name it. */
  readonly name: string;
  readonly rule: MethodRule;
}

/** One request on its way through the server. */
export class Call {
  readonly request: ServerRequest;
  readonly response: Response;
  /** Where it comes from, in the eyes of the network: a proxy's address, where there is one. */
  readonly address: string;
  /** Returned with every reply and logged: the client's own where it sent a usable one, else made here. */
  readonly requestId: string;
  readonly started = performance.now();
  /** The service's own path that is asked for. */
  path = "";
  /** The method at that path; missing where there is none. */
  target: Target | undefined;
  /**
   * How it ended, for the log: REFUSED until a handler is called, CANCELED while the handler is at it, as its client would
   * have left first then, and after that OK or the error's code.
   */
  outcome = "REFUSED";
  /** The code of the message that refused it, if it has one. */
  messageCode: string | undefined;
  /** The authenticated caller; missing until it is known, and where callers are not authenticated. */
  identity: Identity | undefined;
  /** Whether it has passed all gates. */
  isLetIn = false;
  /** Refused like many others of the same caller: it leaves no trace, so that a flood fills no disk. */
  isOneOfMany = false;
  readonly #clientsId: string;

  constructor(request: ServerRequest, response: Response) {
    this.request = request;
    this.response = response;
    this.address = request.socket.remoteAddress ?? "";
    this.#clientsId = clientsRequestId(request.headers);
    this.requestId = this.#clientsId || randomUUID();
  }

  /** Whether it may go on for as long as its client likes: a stream that was let in, and has all that it begins with. */
  get mayLast(): boolean {
    const kind = this.isLetIn ? this.target?.method.methodKind : undefined;
    return kind === "bidi_streaming" || (kind === "server_streaming" && this.request.complete);
  }

  /** The caller and id by which a client's retry is recognised. An id made by this service is not the client's, so it is left out. */
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
