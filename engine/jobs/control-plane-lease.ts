import { DrsError } from "../errors.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import type { Logger } from "../logger.ts";
import { pause } from "./backoff.ts";
import { isSameService, type LeaseRecord, leaseObject, leases, microTime, readLease } from "./lease-record.ts";

export interface LeaseTimes {
  /** Others take a lease over that has not changed for so long. */
  readonly durationMs: number;
  /** Nothing is written so long after the last renewal was requested: requests in progress then have time to arrive. */
  readonly writingMs: number;
  /** Between renewals. */
  readonly renewMs: number;
  /** Between looks at a lease that another service holds. */
  readonly lookMs: number;
  /** How long a write waits for a renewal that is late. */
  readonly patienceMs: number;
}

const defaultTimes: LeaseTimes = {
  durationMs: 15_000,
  writingMs: 10_000,
  renewMs: 4_000,
  lookMs: 2_000,
  patienceMs: 30_000,
};

export interface LeaseDeps {
  /** A separate one: renewals must not queue behind a job's requests. */
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly name: string;
  /** See `holderName`. */
  readonly holder: string;
  readonly logger: Logger;
  readonly times?: LeaseTimes;
}

export interface Holding {
  /** The same as long as no other service has held the lease meanwhile, also across restarts. */
  readonly term: string;
  readonly hasWaited: boolean;
}

interface Mine {
  readonly term: string;
  readonly transitions: number;
  /** When the renewal that counts was asked for, on both clocks. */
  readonly steady: number;
  readonly wall: number;
}

/** The service's hold on the control plane has lapsed or gone: the write was not sent. */
export class LeaseLapsedError extends DrsError {
  override readonly name = "LeaseLapsedError";
}

/**
 * Lets one service at a time work on a control plane: a Lease, held and renewed while jobs run, and never while none does.
 * As in client-go's leader election another service takes it over once it has not changed for its duration by the other's
 * own clock (https://pkg.go.dev/k8s.io/client-go/tools/leaderelection). So that a holder which was paused or cut off does
 * nothing more afterwards, every write asks right before it is sent whether the last renewal is recent enough.
 */
export class ControlPlaneLease {
  readonly #deps: LeaseDeps;
  readonly #times: LeaseTimes;
  readonly #closing = new AbortController();
  #jobs = 0;
  #waiting = 0;
  #keepsAtEnd = false;
  #mine: Mine | undefined;
  /** Its holder instead; for a holder whose name is no longer known: another service. */
  #other: string | undefined;
  /** The other's lease as last seen, and since when it has been so. */
  #seen: { readonly version: string | undefined; readonly since: number } = { version: undefined, since: 0 };
  #failure: DrsError | undefined;
  #keeping: Promise<void> | undefined;
  #looked = Promise.withResolvers<void>();
  #hurry = new AbortController();

  constructor(deps: LeaseDeps) {
    this.#deps = deps;
    this.#times = deps.times ?? defaultTimes;
  }

  /** A job begins to work. It still has to ask for the lease with `hold`. */
  enter(): void {
    this.#jobs += 1;
  }

  /** A job has stopped working. After the last one the lease is released; unless one of them continues at the next start. */
  leave({ goesOn }: { readonly goesOn: boolean }): void {
    this.#jobs -= 1;
    if (goesOn) this.#keepsAtEnd = true;
    this.#hurry.abort();
  }

  /**
   * Waits until the service holds the lease; `onWaiting` gets its holder meanwhile. Throws the API server's errors:
   * UNAVAILABLE, PERMISSION_DENIED.
   */
  async hold(signal: AbortSignal, onWaiting: (holder: string) => void): Promise<Holding> {
    this.#waiting += 1;
    let reported: string | undefined;
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#isValid() && this.#mine) return { term: this.#mine.term, hasWaited: reported !== undefined };
        await this.#look(signal);
        if (this.#failure !== undefined && !this.#isValid()) throw this.#failure;
        if (this.#other === undefined || this.#other === reported) continue;
        reported = this.#other;
        onWaiting(reported);
      }
    } finally {
      this.#waiting -= 1;
    }
  }

  /** The service that has taken the lease from this one in the term; undefined when none is known to have. */
  lostTo(term: string): string | undefined {
    return this.#mine?.term === term ? this.#other : undefined;
  }

  /** Does a write once the lease is held; waits a while for a renewal that is late. Throws LeaseLapsedError. */
  async guard<T>(write: () => Promise<T>): Promise<T> {
    let patience: AbortSignal | undefined; // a timer for every write would be dear
    for (;;) {
      while (!this.#isValid()) {
        patience ??= AbortSignal.any([AbortSignal.timeout(this.#times.patienceMs), this.#closing.signal]);
        await this.#renewed(patience);
      }
      try {
        return await write();
      } catch (error) {
        if (!(error instanceof LeaseLapsedError)) throw error;
      }
    }
  }

  /** To be called right before a write is sent. Throws LeaseLapsedError. */
  check(): void {
    if (!this.#isValid()) throw this.#lapsed();
  }

  async close(): Promise<void> {
    if (this.#jobs > 0 || this.#keepsAtEnd) this.#closing.abort();
    this.#hurry.abort();
    await this.#keeping;
    this.#closing.abort();
  }

  async #renewed(patience: AbortSignal): Promise<void> {
    const isLost = this.#mine !== undefined && this.#other !== undefined;
    if (isLost || patience.aborted) throw this.#lapsed();
    // A job that has not asked yet, as its first phase cleans up.
    const isFirst = this.#mine === undefined;
    try {
      await (isFirst ? this.hold(patience, () => {}) : this.#look(patience));
    } catch (error) {
      if (!patience.aborted) throw error;
      throw this.#lapsed();
    }
  }

  #lapsed(): LeaseLapsedError {
    const { namespace, name } = this.#deps;
    const text =
      this.#other === undefined
        ? `the lease ${namespace}/${name} of the control plane was not renewed in time, so nothing is written`
        : `${this.#other} has taken the control plane over (lease ${namespace}/${name}), so nothing is written`;
    return new LeaseLapsedError("UNAVAILABLE", text);
  }

  /** A host that slept has one clock that stood still; one whose time was set has one that jumped. */
  #isValid(): boolean {
    if (this.#mine === undefined || this.#other !== undefined) return false;
    const age = Math.max(performance.now() - this.#mine.steady, Date.now() - this.#mine.wall);
    return age < this.#times.writingMs;
  }

  /** Resolves after the next look at the lease. */
  async #look(signal: AbortSignal): Promise<void> {
    if (this.#keeping === undefined) this.#keeping = this.#keep();
    else if (this.#waiting > 0 && this.#other === undefined) this.#hurry.abort();
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.resolve();
    signal.addEventListener("abort", abort);
    await Promise.race([this.#looked.promise, aborted.promise]);
    signal.removeEventListener("abort", abort);
    signal.throwIfAborted();
  }

  async #keep(): Promise<void> {
    const { renewMs, lookMs } = this.#times;
    do {
      while (this.#jobs > 0 && !this.#closing.signal.aborted) {
        this.#hurry = new AbortController();
        await this.#attempt();
        const delay = this.#isValid() ? renewMs : lookMs;
        await pause(delay, AbortSignal.any([this.#hurry.signal, this.#closing.signal]));
      }
      await this.#release();
    } while (this.#jobs > 0 && !this.#closing.signal.aborted);
    this.#keeping = undefined;
  }

  async #attempt(): Promise<void> {
    const { namespace, name, logger } = this.#deps;
    try {
      await this.#renewOrTake();
      this.#failure = undefined;
    } catch (error) {
      const what = `the lease ${namespace}/${name} of the control plane cannot be acquired`;
      if (!this.#closing.signal.aborted && this.#failure === undefined) logger.warn({ err: error }, what);
      this.#failure =
        error instanceof DrsError ? error : new DrsError("UNAVAILABLE", `${what}: no answer`, { cause: error });
    }
    this.#looked.resolve();
    this.#looked = Promise.withResolvers();
  }

  async #renewOrTake(): Promise<void> {
    const { cluster, namespace, name, holder } = this.#deps;
    const signal = this.#limit();
    const found = await cluster.get(leases, namespace, name, signal);
    const lease = found && readLease(found);
    const mine = this.#mine;
    const isLost = mine !== undefined && this.#other !== undefined;
    if (lease?.holder === holder || (lease === undefined && mine !== undefined && !isLost)) {
      const { term, transitions } = mine ?? lease ?? { term: "", transitions: 0 };
      return this.#write({ term, transitions, version: lease?.version }, signal);
    }
    // The database lets one process in: the holder is this service before it was started again.
    if (lease !== undefined && mine === undefined && isSameService(lease.holder, holder)) {
      return this.#write(lease, signal);
    }
    if (lease !== undefined && !this.#isFree(lease)) {
      this.#other = lease.holder;
      return;
    }
    if (mine !== undefined) this.#other ??= "another service";
    if (this.#waiting === 0) return;
    const transitions = lease === undefined ? 0 : lease.transitions + 1;
    return this.#write({ term: microTime(new Date()), transitions, version: lease?.version }, signal);
  }

  /** Whether nobody holds it, or its holder has not renewed it in time. */
  #isFree({ holder, version, durationMs }: LeaseRecord): boolean {
    const now = performance.now();
    if (version !== this.#seen.version) this.#seen = { version, since: now };
    return holder === "" || now - this.#seen.since >= durationMs;
  }

  async #write(
    { term, transitions, version }: Pick<LeaseRecord, "term" | "transitions" | "version">,
    signal: AbortSignal,
  ): Promise<void> {
    const { cluster, namespace, name, holder } = this.#deps;
    const { durationMs } = this.#times;
    const now = new Date();
    const next: Mine = { term, transitions, steady: performance.now(), wall: now.getTime() };
    const lease = leaseObject(name, namespace, { holder, term, transitions, durationMs, version }, now);
    try {
      if (version === undefined) await cluster.create(leases, namespace, lease, signal);
      else await cluster.replace(leases, namespace, lease, signal);
    } catch (error) {
      if (hasStatus(error, 409)) return; // somebody was faster, or the answer to the first try got lost: looked at again
      throw error;
    }
    this.#mine = next;
    this.#other = undefined;
  }

  async #release(): Promise<void> {
    const { cluster, namespace, name, holder, logger } = this.#deps;
    const isHeld = this.#mine !== undefined && this.#other === undefined;
    if (!isHeld || this.#keepsAtEnd || this.#closing.signal.aborted) return;
    this.#mine = undefined;
    this.#failure = undefined;
    try {
      const signal = this.#limit();
      const found = await cluster.get(leases, namespace, name, signal);
      const lease = found && readLease(found);
      if (lease?.holder !== holder) return;
      const free = leaseObject(name, namespace, { ...lease, holder: "", durationMs: 1_000 }, new Date());
      await cluster.replace(leases, namespace, free, signal);
    } catch (error) {
      logger.warn({ err: error }, "the control plane's lease was not released, and is free when it expires");
    }
  }

  #limit(): AbortSignal {
    return AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#times.writingMs / 2)]);
  }
}
