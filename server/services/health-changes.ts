import { EventEmitter, once } from "node:events";
import type { HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";

/** How often it is looked at, in milliseconds. */
const interval = 1_000;

/** The health for all who watch it: it is looked at once for all of them, and only while somebody waits. */
export class HealthChanges {
  readonly #look: () => Status;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #seen: Status;
  #timer: NodeJS.Timeout | undefined;

  /** @param stopping Ends all waiting. */
  constructor(look: () => Status, stopping: AbortSignal) {
    this.#look = look;
    this.#seen = look();
    stopping.addEventListener("abort", () => {
      this.#seen = look();
      this.#changes.emit("change");
    });
  }

  /** The status at the last look. */
  get seen(): Status {
    return this.#seen;
  }

  /** The present status. */
  now(): Status {
    const before = this.#seen;
    this.#seen = this.#look();
    if (this.#seen !== before) this.#changes.emit("change");
    return this.#seen;
  }

  /** Resolves when another one is seen, or `signal` is aborted. */
  async next(signal: AbortSignal): Promise<void> {
    this.#timer ??= setInterval(() => this.now(), interval).unref();
    await once(this.#changes, "change", { signal }).catch(() => undefined);
    if (this.#changes.listenerCount("change") > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
