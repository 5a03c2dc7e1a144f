import type { Logger } from "./logger.ts";

/** The resources opened by a start, closed in the opposite order: at the end, or when the rest cannot be opened. */
export class Closers {
  readonly #closers: (() => unknown)[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  onClose(close: () => unknown): void {
    this.#closers.push(close);
  }

  /**
   * Runs every closer, one after another; a second call finds nothing to do. One that throws is logged and keeps none of
   * the others from running; then the promise rejects with the first such error.
   */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        this.#logger.error({ err: error }, "a part of the service cannot be closed");
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
