import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Engine } from "../../engine/engine.ts";

type JobLabel = "kind" | "state" | "item";

const jobLabels: readonly JobLabel[] = ["kind", "state", "item"];
/** Seconds: most calls read a row, and `listBackupEntities` asks the cluster. */
const callBuckets = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10];

type Measured = Pick<Engine, "countJobs" | "countUncopiedVolumes" | "repositoryState">;

/**
 * The metrics for Prometheus: calls as they were answered, jobs as the bookkeeping has them at that moment, and the process.
 * Labels come from closed sets and from the names of the cluster's namespaces: callers cannot create series without end.
 */
export class Metrics {
  readonly #engine: Measured;
  readonly #registry = new Registry();
  readonly #calls: Histogram<"method" | "code">;
  readonly #jobs: Gauge<JobLabel>;
  readonly #updated: Gauge<JobLabel>;
  readonly #uncopied: Gauge;
  readonly #checked: Gauge;
  readonly #damaged: Gauge;

  constructor(engine: Measured) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#engine = engine;
    this.#calls = new Histogram({
      name: "drs_call_duration_seconds",
      help: "Calls by method and code of the result; REFUSED for what could not be understood, CANCELED when the client left before its answer.",
      labelNames: ["method", "code"],
      buckets: callBuckets,
      registers,
    });
    this.#jobs = new Gauge({
      name: "drs_jobs",
      help: "Backups, restores, deletions, copies and upkeeps of their repository in the bookkeeping, by state and item.",
      labelNames: jobLabels,
      registers,
    });
    this.#updated = new Gauge({
      name: "drs_jobs_last_updated_timestamp_seconds",
      help: "When the latest of these jobs was last moved on: of COMPLETED ones, when it was finished.",
      labelNames: jobLabels,
      registers,
    });
    this.#uncopied = new Gauge({
      name: "drs_volumes_not_copied",
      help: "Volumes of backups whose data is not copied to the repository, or not yet, as far as their copies have begun.",
      registers,
    });
    this.#checked = new Gauge({
      name: "drs_copies_checked_timestamp_seconds",
      help: "When a check found the repository of copies whole last, as far as it was read; 0 when none has yet.",
      registers,
    });
    this.#damaged = new Gauge({
      name: "drs_copies_damaged",
      help: "Whether the last check found the repository of copies damaged: 1 if so.",
      registers,
    });
  }

  /** Notes a call that is over. */
  observeCall(method: string, code: string, seconds: number): void {
    this.#calls.observe({ method, code }, seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/ */
  async text(): Promise<string> {
    this.#jobs.reset();
    this.#updated.reset();
    this.#uncopied.set(this.#engine.countUncopiedVolumes());
    const { checkedAt, isDamaged } = this.#engine.repositoryState();
    this.#checked.set((checkedAt?.getTime() ?? 0) / 1_000);
    this.#damaged.set(isDamaged ? 1 : 0);
    for (const { kind, state, item, count, lastUpdated } of this.#engine.countJobs()) {
      this.#jobs.set({ kind, state, item }, count);
      this.#updated.set({ kind, state, item }, lastUpdated.getTime() / 1_000);
    }
    return this.#registry.metrics();
  }
}
