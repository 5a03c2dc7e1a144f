import { Code } from "@connectrpc/connect";
import { codedError } from "../errors.ts";
import type { Call } from "../http/call.ts";
import { bodyOf } from "../http/request-body.ts";

/** So much of each request is not counted. Hardly any is longer. */
const uncounted = 4_096;
/** The memory of a piece of a request, however short it is. */
const pieceBytes = 512;

/**
 * The bytes of all requests that are not answered yet: so many at most, and the request with one more is refused,
 * RESOURCE_EXHAUSTED, before anything is done. Usual requests are taken however many long ones there are.
 */
export class PendingBytes {
  readonly #max: number;
  #pending = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** A request's bytes as they come: see `bodyOf`. */
  async *of({ request, response }: Call): AsyncGenerator<Uint8Array> {
    let size = 0;
    let counted = 0;
    let isOver = false;
    response.once("close", () => {
      isOver = true;
      this.#pending -= counted;
    });
    for await (const piece of bodyOf(request)) {
      if (isOver) return;
      size += piece.length + pieceBytes;
      const more = Math.max(0, size - uncounted - counted);
      if (more > 0 && this.#pending + more > this.#max) this.#refuse();
      counted += more;
      this.#pending += more;
      yield piece;
    }
  }

  #refuse(): never {
    throw codedError(
      Code.ResourceExhausted,
      "DRS-C009",
      `requests of ${this.#max} bytes are already waiting for their answers: try again later`,
    );
  }
}
