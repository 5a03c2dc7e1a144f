import { DrsError } from "../errors.ts";

/** Turns to ask the cluster something: so many at once, and so many who wait for theirs, first come, first served. */
export class Semaphore {
  readonly #maxWaiting: number;
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor({ atOnce, waiting }: { readonly atOnce: number; readonly waiting: number }) {
    this.#free = atOnce;
    this.#maxWaiting = waiting;
  }

  /** Resolves when it is the caller's turn, which `end` ends. Throws UNAVAILABLE when that is too far, or `signal` is aborted. */
  async acquire(signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new DrsError("UNAVAILABLE", "too many callers are being checked at once: try again later", {
        id: "DRS-C008",
      });
    }
    await new Promise<void>((resolve, reject) => {
      const begin = () => {
        signal.removeEventListener("abort", abandon);
        resolve();
      };
      const abandon = () => {
        this.#waiting.delete(begin);
        reject(
          new DrsError("UNAVAILABLE", "the cluster cannot be asked about the caller: try again later", {
            id: "DRS-C007",
          }),
        );
      };
      this.#waiting.add(begin);
      signal.addEventListener("abort", abandon, { once: true });
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next();
    } else this.#free += 1;
  }
}
