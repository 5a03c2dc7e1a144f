import { ApiError } from "../objects/api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { Controller } from "./controller.ts";

/**
 * Runs controllers: what a change concerns is looked at a moment later, each key once however often it changed. Nothing
 * is polled, so a cluster at rest costs nothing.
 */
export class ControllerManager {
  readonly #controllers: readonly Controller[];
  readonly #delay: number;
  readonly #unsubscribe: () => void;
  #queues: Map<Controller, Set<string>>;
  #timer: NodeJS.Timeout | undefined;

  /** `delay` is the time in milliseconds between a change and the controllers' answer to it. */
  constructor(cluster: Cluster, controllers: readonly Controller[], delay: number) {
    this.#controllers = controllers;
    this.#delay = delay;
    this.#queues = this.#emptyQueues();
    this.#unsubscribe = cluster.store.subscribe((change) => {
      for (const [controller, keys] of this.#queues) for (const key of controller.concerns(change)) keys.add(key);
      this.#timer ??= setTimeout(() => this.#run(), this.#delay);
    });
  }

  /** Resolves once no change waits for a controller's answer. */
  async settled(): Promise<void> {
    while (this.#timer !== undefined) await new Promise((resolve) => setTimeout(resolve, this.#delay));
  }

  close(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
  }

  #run(): void {
    this.#timer = undefined;
    const queues = this.#queues;
    this.#queues = this.#emptyQueues();
    for (const [controller, keys] of queues) {
      for (const key of keys) {
        try {
          controller.reconcile(key);
        } catch (error) {
          // A refusal (a namespace that goes, a name that is taken) is looked at again with the next change.
          if (!(error instanceof ApiError)) throw error;
        }
      }
    }
  }

  #emptyQueues(): Map<Controller, Set<string>> {
    return new Map(this.#controllers.map((controller) => [controller, new Set()]));
  }
}
