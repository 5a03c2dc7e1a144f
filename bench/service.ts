import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { copyOf, logAtEnd } from "../test/cluster/copies/scene.ts";
import { type TestService, startService } from "../test/cluster/support/service.ts";
import type { TestCluster } from "../test/cluster/support/cluster.ts";
import type { Account } from "./account.ts";
import { processMemory } from "./process-memory.ts";

const waiting = { timeout: 1_800_000 };

/** The service under measurement: a process of its own on the real cluster. */
export class MeasuredService {
  readonly #service: TestService;

  private constructor(service: TestService) {
    this.#service = service;
  }

  static async start(cluster: TestCluster, account: Account, flags: readonly string[] = []): Promise<MeasuredService> {
    const asAccount = { ...cluster, kubeconfig: account.kubeconfig };
    return new MeasuredService(await startService({ cluster: asAccount, flags }));
  }

  get keyFile(): string {
    return join(this.#service.data, "encryption-keys");
  }

  /** Makes a backup; gives its CRN and the seconds of each phase. */
  async backup(): Promise<{ crn: string; phases: Phases }> {
    const { backupCrn } = (await this.#service.api("createBackup")) as { backupCrn: string };
    await this.#service.waitForJob(backupCrn, waiting);
    return { crn: backupCrn, phases: await this.#phases(backupCrn) };
  }

  async restore(backupCrn: string): Promise<Phases> {
    const { restoreCrn } = (await this.#service.api("restoreBackup", { backupCrn })) as { restoreCrn: string };
    await this.#service.waitForJob(restoreCrn, waiting);
    return this.#phases(restoreCrn);
  }

  /** Waits until the copy of a backup has copied all; gives its seconds. */
  async copy(backupCrn: string): Promise<number> {
    const crn = await copyOf(this.#service, backupCrn);
    const log = await logAtEnd(this.#service, crn, waiting.timeout);
    if (!log.includes("job ended COMPLETED")) throw new Error(`the volumes were not copied:\n${log}`);
    return (await this.#phases(crn))["COPYING_VOLUMES"] ?? Number.NaN;
  }

  async deleteBackup(backupCrn: string): Promise<void> {
    await this.#service.api("deleteBackup", { backupCrn });
    await this.#service.waitUntilDeleted(backupCrn);
  }

  /** The most memory that the process ever held, in MiB. */
  async peakMemory(): Promise<number> {
    return (await processMemory(this.#service.pid)).peak;
  }

  /** From now on the peak is that of the time since. proc(5) */
  async forgetPeak(): Promise<void> {
    await writeFile(`/proc/${this.#service.pid}/clear_refs`, "5");
  }

  async log(crn: string): Promise<string> {
    return ((await this.#service.api("getLogs", { crn })) as { logs: string }).logs;
  }

  async stop(): Promise<void> {
    await this.#service.stop();
  }

  async #phases(crn: string): Promise<Phases> {
    const phases: Record<string, number> = {};
    const started: Record<string, number> = {};
    for (const line of (await this.log(crn)).split("\n")) {
      const [, time = "", phase = "", what] = /^(\S+) INFO +(\S+) phase (started|finished)/.exec(line) ?? [];
      if (what === "started") started[phase] = Date.parse(time);
      else if (what === "finished") phases[phase] = (Date.parse(time) - (started[phase] ?? Number.NaN)) / 1000;
    }
    return phases;
  }
}

/** Seconds by the phase's name, as the job's log has them. */
export type Phases = Readonly<Record<string, number>>;
