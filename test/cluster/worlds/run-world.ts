import { setTimeout as sleep } from "node:timers/promises";
import { jobLabel } from "../../../engine/kinds/own-labels.ts";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { Change } from "./changes.ts";
import { backupBreaches } from "./backup-rule.ts";
import { pathOfKind } from "./kinds.ts";
import { makeChanges } from "./make-changes.ts";
import { makeWorld } from "./make-world.ts";
import { breaches, type RestoreOutcome } from "./rule.ts";
import { PoliciesOfWorld } from "./policies-of-world.ts";
import type { PolicyServer } from "./policy-server.ts";
import { EngineService, openArchive, ProcessService, uuidOf, type JobStatus, type WorldService } from "./service.ts";
import { type Scope, type State, takeState, whenQuiet } from "./state.ts";
import { wreck } from "./wreck.ts";
import { fillNamespace, type World } from "./world.ts";

export interface WorldOutcome {
  /** Empty when the rule was kept. */
  readonly breaches: readonly string[];
  /** How the restores, or a backup that failed, ended. */
  readonly endings: readonly string[];
  /** What happened, for people. */
  readonly story: string;
}

const jobTimeoutMs = 180_000;
/** Controllers come to the end of their work some time after a restore. */
const patienceMs = 12_000;
const over = ["COMPLETED", "PARTIALLY_FAILED", "FAILED"];

/** Lets a world happen in the cluster and checks each of its restores against the rule. Leaves its objects behind. */
export async function runWorld(world: World, cluster: TestCluster, policyServer: PolicyServer): Promise<WorldOutcome> {
  const run = new Run(world, cluster, policyServer);
  try {
    return await run.happen();
  } finally {
    await run.end();
  }
}

class Run {
  readonly #world: World;
  readonly #cluster: TestCluster;
  readonly #policies: PoliciesOfWorld;
  readonly #scope: Scope;
  readonly #story: string[] = [];
  readonly #endings: string[] = [];
  readonly #began = performance.now();
  #service: WorldService | undefined;

  constructor(world: World, cluster: TestCluster, policyServer: PolicyServer) {
    this.#world = world;
    this.#cluster = cluster;
    this.#policies = new PoliciesOfWorld(world, cluster, policyServer, (text) => this.#report(text));
    const { name, namespaces, objects } = world;
    const hasDefinition = objects.some(({ kind }) => kind === "CustomResourceDefinition");
    this.#scope = { name, namespaces, hasDefinition };
  }

  async happen(): Promise<WorldOutcome> {
    const { changes, restores } = this.#world;
    await makeWorld(this.#world, this.#cluster, this.#scope);
    this.#report("made");
    await this.#change(changes.beforeBackup);
    await this.#policies.appear("before backup");
    const saved = await whenQuiet(this.#cluster, this.#scope);
    const start = "killedAfterMs" in Object(this.#world.deaths) ? ProcessService : EngineService;
    const fills = this.#world.fillsFirst ? fillNamespace : undefined;
    this.#service = await start.start(this.#cluster, this.#world.name, fills);
    const backupCrn = await this.#service.backUp();
    const backup = await this.#ended(this.#service, backupCrn);
    if (backup.state === "FAILED") return this.#failedBackup(backup);
    this.#report(`backup ${backup.state}: ${backup.messages.map(({ text }) => text).join("; ")}`);
    await this.#change(changes.beforeRestore);
    await this.#policies.standAside(() => wreck(this.#world, this.#cluster));
    await this.#policies.appear("before restore");
    let before = await whenQuiet(this.#cluster, this.#scope);
    this.#report("damage done");
    const archive = await openArchive(this.#service, `backups/${uuidOf(backupCrn)}`);
    const copiesInIt = {
      inBackup: archive?.keys ?? new Set<string>(),
      snapshots: archive?.snapshots ?? new Set<string>(),
    };
    const found = [...backupBreaches(saved, copiesInIt, backup)];
    for (let count = 0; count < restores; count++) {
      const restored = await this.#restore(this.#service, backupCrn, { saved, before, isFirst: count === 0 });
      found.push(...restored.breaches);
      before = await whenQuiet(this.#cluster, this.#scope);
    }
    return { breaches: found, endings: this.#endings, story: this.#story.join("\n") };
  }

  async end(): Promise<void> {
    await this.#policies.end();
    await this.#service?.close();
  }

  #change(changes: readonly Change[]): Promise<void> {
    return makeChanges(changes, this.#cluster, this.#scope, (text) => this.#report(text));
  }

  async #restore(
    service: WorldService,
    backupCrn: string,
    { saved, before, isFirst }: { saved: State; before: State; isFirst: boolean },
  ): Promise<{ readonly breaches: readonly string[] }> {
    const crn = await service.restore(backupCrn);
    const { deaths } = this.#world;
    if (isFirst) {
      void this.#dieOff(service, crn, deaths).catch((error: unknown) => this.#report(`not dead: ${String(error)}`));
      void this.#policies.followRestore(() => service.describe(crn));
    }
    const ended = await this.#ended(service, crn);
    const log = await service.log(crn);
    const outcome: RestoreOutcome = {
      state: ended.state,
      messages: ended.messages,
      rolledBack: /rolling back to the state before/.test(log),
      uuid: uuidOf(crn),
    };
    this.#endings.push(`restore ${ended.state}${outcome.rolledBack ? ", went back" : ""}`);
    this.#report(this.#endings.at(-1) ?? "");
    for (const { namespace, text } of ended.messages) this.#report(`  ${namespace}: ${text}`);
    const [backup, safety] = await Promise.all([
      openArchive(service, `backups/${uuidOf(backupCrn)}`),
      openArchive(service, `safety/${outcome.uuid}`),
    ]);
    const copies = {
      inBackup: backup?.keys ?? new Set<string>(),
      snapshots: backup?.snapshots ?? new Set<string>(),
      inSafetyArchive: safety?.keys,
    };
    const end = Date.now() + patienceMs;
    for (;;) {
      const after = await takeState(this.#cluster, this.#scope);
      const found = [
        ...breaches({ saved, before, after, outcome, copies, ignored: this.#policies.touched }),
        ...(await this.#leftFillers(outcome)),
      ];
      if (found.length === 0 || Date.now() > end) {
        this.#report("looked at");
        if (found.length > 0) this.#report(log);
        return { breaches: found };
      }
      await sleep(1_000);
    }
  }

  /** What a restore has left where volumes are filled, and does not name. */
  async #leftFillers({ uuid, messages }: RestoreOutcome): Promise<readonly string[]> {
    const kinds = ["v1/persistentvolumeclaims", "snapshot.storage.k8s.io/v1/volumesnapshots"];
    const query = `?labelSelector=${encodeURIComponent(`${jobLabel}=${uuid}`)}`;
    const paths = kinds.map((kind) => pathOfKind(kind, fillNamespace) + query);
    const left = (await Promise.all(paths.map((path) => this.#cluster.kubernetes.list(path)))).flat();
    return left
      .filter(({ metadata }) => !messages.some(({ text }) => text.includes(metadata.name)))
      .map(({ kind, metadata }) => `left where volumes are filled: ${kind} ${metadata.name}`);
  }

  /** Kills the service, some time after the job began, unless the job is over before. */
  async #dieOff(service: WorldService, crn: string, deaths: World["deaths"]): Promise<void> {
    if (deaths === "none") return;
    const isOver = async () => over.includes((await service.describe(crn)).state);
    if ("killedAfterMs" in deaths) {
      await sleep(deaths.killedAfterMs);
      if (await isOver()) return;
      await service.die(0);
      this.#report("killed");
      return;
    }
    for (const writes of deaths.atWrites) {
      await service.die(writes);
      this.#report(`died at write ${writes}`);
    }
  }

  async #ended(service: WorldService, crn: string): Promise<JobStatus> {
    return eventually(
      `${crn} ends`,
      async () => {
        const status = await service.describe(crn).catch(() => undefined); // it may be dead for a moment
        return status !== undefined && over.includes(status.state) && status;
      },
      {
        timeout: jobTimeoutMs,
        interval: 50,
        look: async () => `${this.#story.join("\n")}\n${await service.log(crn).catch(String)}`,
      },
    );
  }

  /** Others may forbid a backup; then it says so. */
  #failedBackup({ messages }: JobStatus): WorldOutcome {
    this.#endings.push("backup FAILED");
    this.#report(`backup FAILED: ${messages.map(({ text }) => text).join("; ")}`);
    const isForbidden = this.#world.policies.some(({ appears }) => appears === "before backup");
    return {
      breaches: isForbidden ? [] : ["a backup failed that nobody forbade"],
      endings: this.#endings,
      story: this.#story.join("\n"),
    };
  }

  #report(text: string): void {
    this.#story.push(`${((performance.now() - this.#began) / 1_000).toFixed(1)} s: ${text}`);
  }
}
