import type { UpkeepConfig } from "../../config.ts";
import type { Intake, Wanted } from "../../jobs/intake.ts";
import type { JobContextDeps } from "../../jobs/job-context.ts";
import type { JobRecord } from "../../store/job-record.ts";
import { checkedNote, damageNote } from "../../store/upkeep-store.ts";
import { leftoverNotes } from "../leftovers.ts";
import { partNote } from "./upkeep-job.ts";

/** After so long, in milliseconds, one that could not do its work is tried again. */
const retryAfterMs = 3_600_000;
/** Between looks at whether one is due. */
const lookMs = 60_000;

/** The log of the first one, from which the time of the next one counts. */
const begins = "there is a copy: from now on the repository is looked after";

/** Records upkeeps of the repository of copies: one after the other, where there are copies, and while none is made. */
export class UpkeepPlanner {
  readonly #deps: JobContextDeps;
  readonly #intake: Intake;
  readonly #config: UpkeepConfig;
  /** The control plane's main namespace. */
  readonly #entity: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: JobContextDeps, intake: Intake, config: UpkeepConfig, entity: string) {
    this.#deps = deps;
    this.#intake = intake;
    this.#config = config;
    this.#entity = entity;
  }

  /** Looks whether one is due, now and once a minute, or more often where they are. */
  start(): void {
    this.recordDue();
    this.#timer = setInterval(() => this.recordDue(), Math.min(lookMs, this.#config.everyMs)).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  recordDue(): void {
    const { store, logger } = this.#deps;
    try {
      if (!store.upkeep.hasTime()) return;
      const last = store.upkeep.last();
      if (last === undefined) this.#intake.record(() => this.#intake.recordFinished(this.#wanted(), begins));
      else if (this.#isDueAfter(last))
        this.#intake.record(() => {
          const kept = [...this.#kept(last)];
          store.upkeep.removeOld();
          const next = this.#intake.enqueue(this.#wanted());
          store.notes.setAll(next.seq, kept);
          return next;
        });
    } catch (error) {
      logger.warn({ err: error }, "the repository of copies cannot be looked after yet");
    }
  }

  /** One that only could not prune is not repeated earlier: checks read much, and the space can wait. */
  #isDueAfter({ seq, state, createdAt, updatedAt }: JobRecord): boolean {
    const { store, clock } = this.#deps;
    if (state === "NOT_STARTED" || state === "IN_PROGRESS") return false;
    const { everyMs } = this.#config;
    const checkedAt = Date.parse(store.notes.get<string>(seq, checkedNote) ?? "");
    const isChecked = checkedAt >= createdAt.getTime() || store.notes.get(seq, damageNote) !== undefined;
    const isDone = state === "COMPLETED" || isChecked;
    const isCancelled = store.queue.cancelledBy(seq) !== undefined;
    const waitMs = isDone || isCancelled ? everyMs : Math.min(everyMs, retryAfterMs);
    return updatedAt.getTime() + waitMs <= clock().getTime();
  }

  /** What is known of the repository, and what is left of an earlier one. */
  *#kept({ seq }: JobRecord): Generator<readonly [key: string, value: unknown]> {
    const { notes } = this.#deps.store;
    for (const key of [checkedNote, damageNote, partNote]) {
      const value = notes.get<unknown>(seq, key);
      if (value !== undefined) yield [key, value];
    }
    for (const prefix of leftoverNotes) yield* notes.entries<unknown>(seq, prefix);
  }

  #wanted(): Wanted {
    return {
      kind: "upkeep",
      origin: "service",
      requestedName: "",
      caller: { name: "", requestId: "" },
      backupCrn: "",
      entity: this.#entity,
      itemName: "",
      displayName: "",
      includedNamespaces: [],
    };
  }
}
