import { DrsError } from "../../engine/errors.ts";

/** How long streams have to end by themselves when the service stops, in milliseconds. */
const stopGrace = 1_000;

/** The streams that are being sent: none goes on without its client, or for long after a shutdown has begun. */
export class OpenStreams {
  readonly #open = new Set<AbortController>();
  #hasStopped = false;

  constructor(shutdown: AbortSignal) {
    shutdown.addEventListener("abort", () => setTimeout(() => this.#stop(), stopGrace).unref(), { once: true });
  }

  /**
   * A stream's messages as its handler makes them, until it ends by itself. Throws the reason of `signal` when that is
   * aborted, and UNAVAILABLE when the service has stopped, whatever the handler waits for.
   */
  async *untilEnded<Message>(messages: AsyncIterable<Message>, signal: AbortSignal): AsyncGenerator<Message> {
    const stream = new AbortController();
    const abort = () => stream.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    if (this.#hasStopped) stream.abort(stopped());
    this.#open.add(stream);
    const iterator = messages[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await unlessAborted(iterator.next(), stream.signal);
        if (done) return;
        yield value;
      }
    } finally {
      this.#open.delete(stream);
      signal.removeEventListener("abort", abort);
      // Not waited for: a handler that is at something else hears of it when that is over.
      iterator.return?.().catch(() => undefined);
    }
  }

  #stop(): void {
    this.#hasStopped = true;
    for (const stream of this.#open) stream.abort(stopped());
  }
}

function stopped(): DrsError {
  return new DrsError("UNAVAILABLE", "the service is stopping: call again later", { id: "DRS-C014" });
}

function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
