import type { Message } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import type { Logger } from "../../engine/logger.ts";
import { type Call, currentCall, type Target } from "../http/call.ts";
import { codeName, messageCodeOf, toConnectError } from "../errors.ts";
import type { Gate } from "./gate.ts";
import { OpenStreams } from "./open-streams.ts";

/** Has calls pass the gates, and translates whatever is thrown there, in handlers, and while a stream is sent. */
export class Passage {
  readonly #gates: readonly Gate[];
  readonly #log: Logger;
  readonly #streams: OpenStreams;

  constructor(gates: readonly Gate[], log: Logger, shutdown: AbortSignal) {
    this.#gates = gates;
    this.#log = log;
    this.#streams = new OpenStreams(shutdown);
  }

  /** Before the request's body is read. Throws a ConnectError when the call is refused. */
  async enter(call: Call, signal: AbortSignal): Promise<void> {
    const target = targetOf(call);
    try {
      for (const gate of this.#gates) {
        const passed = gate.enter?.(call, target, signal);
        if (passed) await passed;
      }
    } catch (error) {
      throw this.translate(call, error);
    }
    call.isLetIn = true;
  }

  /** Around the handlers, for every protocol. */
  readonly interceptor: Interceptor = (next) => async (request) => {
    const call = request.contextValues.get(currentCall);
    if (request.stream) return this.#stream(call, request, next);
    let reply: Message | undefined;
    try {
      this.#begin(call, request.message);
      const response = (await next(request)) as UnaryResponse;
      reply = response.message;
      call.outcome = "OK";
      return response;
    } catch (error) {
      throw this.translate(call, error);
    } finally {
      this.#end(call, reply);
    }
  };

  /** The reply is over. */
  replied(call: Call): void {
    for (const gate of this.#gates) gate.replied?.(call);
  }

  /** The only translator of errors: notes how the call ended. A translated error stays as it is. */
  translate(call: Call, error: unknown): ConnectError {
    const translated = toConnectError(error, call.requestId, this.#log);
    call.outcome = codeName(translated.code);
    call.messageCode = messageCodeOf(translated);
    return translated;
  }

  async #stream(call: Call, request: StreamRequest, next: Next): Promise<StreamResponse> {
    try {
      const { first, all } = await withFirst(request);
      this.#begin(call, first);
      const response = (await next({ ...request, message: all })) as StreamResponse;
      return { ...response, message: this.#messages(call, response.message, request.signal) };
    } catch (error) {
      const translated = this.#translateOf(call, error, request.signal);
      this.#end(call, undefined);
      throw translated;
    }
  }

  async *#messages<Reply>(call: Call, messages: AsyncIterable<Reply>, signal: AbortSignal): AsyncGenerator<Reply> {
    try {
      yield* this.#streams.untilEnded(messages, signal);
      // A handler may end as its client has gone.
      signal.throwIfAborted();
      call.outcome = "OK";
    } catch (error) {
      throw this.#translateOf(call, error, signal);
    } finally {
      this.#end(call, undefined);
    }
  }

  /** Once a stream is aborted, by its client or as its time is over, whatever its handler throws is no failure. */
  #translateOf(call: Call, error: unknown, { aborted, reason }: AbortSignal): ConnectError {
    if (!aborted) return this.translate(call, error);
    const isReported = reason instanceof ConnectError;
    return this.translate(call, isReported ? reason : new ConnectError("the client has gone", Code.Canceled));
  }

  #begin(call: Call, request: Message | undefined): void {
    call.outcome = "CANCELED";
    const target = targetOf(call);
    for (const gate of this.#gates) gate.begin?.(call, target, request);
  }

  #end(call: Call, reply: Message | undefined): void {
    for (const gate of this.#gates) gate.end?.(call, reply);
  }
}

type Next = (request: UnaryRequest | StreamRequest) => Promise<UnaryResponse | StreamResponse>;

/** The request of a stream that has only one, so that the gates see it; others are not waited for. */
async function withFirst({
  method,
  message,
}: StreamRequest): Promise<{ first?: Message; all: StreamRequest["message"] }> {
  if (method.methodKind !== "server_streaming") return { all: message };
  const iterator = message[Symbol.asyncIterator]();
  const { done, value } = await iterator.next();
  if (done) return { all: message };
  async function* all() {
    yield value as Message;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { first: value, all: all() };
}

function targetOf({ target, path }: Call): Target {
  if (target) return target;
  throw new Error(`${path} is no method`);
}
