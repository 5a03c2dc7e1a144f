import { rm, writeFile } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { apiPath, KubernetesError, type KubernetesObject } from "../support/kubernetes-client.ts";
import { claimFolder } from "../support/volumes.ts";
import type { Change } from "./changes.ts";
import { keyOf, pathOf } from "./kinds.ts";
import { breaches, type RestoreOutcome } from "./rule.ts";
import { PoliciesOfWorld } from "./policies-of-world.ts";
import type { PolicyServer } from "./policy-server.ts";
import { EngineService, openArchive, ProcessService, uuidOf, type JobStatus, type WorldService } from "./service.ts";
import { type Scope, type State, takeState, whenQuiet } from "./state.ts";
import { wreck } from "./wreck.ts";
import type { World } from "./world.ts";

export interface WorldOutcome {
  /** Empty when the rule was kept. */
  readonly breaches: readonly string[];
  /** What happened, for people. */
  readonly story: string;
}

const jobTimeoutMs = 120_000;
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
  readonly #began = performance.now();
  #service: WorldService | undefined;

  constructor(world: World, cluster: TestCluster, policyServer: PolicyServer) {
    this.#world = world;
    this.#cluster = cluster;
    this.#policies = new PoliciesOfWorld(world, cluster, policyServer, (text) => this.#tell(text));
    const { name, namespaces, objects } = world;
    const hasDefinition = objects.some(({ kind }) => kind === "CustomResourceDefinition");
    this.#scope = { name, namespaces, hasDefinition };
  }

  async happen(): Promise<WorldOutcome> {
    const { changes, restores } = this.#world;
    await this.#make();
    this.#tell("made");
    await this.#change(changes.beforeBackup);
    await this.#policies.appear("before backup");
    const saved = await whenQuiet(this.#cluster, this.#scope);
    const start = "killedAfterMs" in Object(this.#world.deaths) ? ProcessService : EngineService;
    this.#service = await start.start(this.#cluster, this.#world.name);
    const backupCrn = await this.#service.backUp();
    const backup = await this.#ended(this.#service, backupCrn);
    if (backup.state === "FAILED") return this.#failedBackup(backup);
    this.#tell(`backup ${backup.state}: ${backup.messages.map(({ text }) => text).join("; ")}`);
    await this.#change(changes.beforeRestore);
    await wreck(this.#world, this.#cluster);
    await this.#policies.appear("before restore");
    let before = await whenQuiet(this.#cluster, this.#scope);
    this.#tell("damage done");
    const found: string[] = [];
    for (let count = 0; count < restores; count++) {
      const restored = await this.#restore(this.#service, backupCrn, { saved, before, isFirst: count === 0 });
      found.push(...restored.breaches);
      before = await whenQuiet(this.#cluster, this.#scope);
    }
    return { breaches: found, story: this.#story.join("\n") };
  }

  async end(): Promise<void> {
    await this.#policies.end();
    await this.#service?.close();
  }

  /** Makes the objects, those that others need first, and writes files onto the volumes there are. */
  async #make(): Promise<void> {
    const { namespaces, objects, others } = this.#world;
    const { kubernetes } = this.#cluster;
    for (const name of namespaces)
      await this.#create({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { team: "data" } } });
    for (const object of others) await this.#create(object);
    for (const namespace of [...namespaces, ...others.slice(0, 1).map(({ metadata }) => metadata.name)])
      await eventually(`the account of ${namespace}`, () =>
        kubernetes.find(apiPath({ apiVersion: "v1", resource: "serviceaccounts" }, namespace, "default")),
      );
    for (const object of objects) await this.#create(object);
    await whenQuiet(this.#cluster, this.#scope, 20_000);
    const state = await takeState(this.#cluster, this.#scope);
    for (const [claim, volume] of state.volumeOf) {
      const folder = await this.#folderOf(claim, volume);
      if (folder === undefined) continue;
      await mkdir(join(folder, "base"), { recursive: true });
      await writeFile(join(folder, "base/1"), `${this.#world.name} ${claim}\n`.repeat(20));
      await writeFile(join(folder, "VERSION"), "1\n");
    }
  }

  async #change(changes: readonly Change[]): Promise<void> {
    const { kubernetes } = this.#cluster;
    for (const change of changes) {
      try {
        if (change.what === "files") await this.#changeFiles(change);
        else {
          const path = pathOf(change.target, "object");
          if (change.what === "patch") await kubernetes.patch(path, change.patch);
          if (change.what === "delete" || change.what === "recreate") await kubernetes.delete(path);
          if (change.what === "recreate") {
            await eventually(`${path} is gone`, async () => !(await kubernetes.find(path)), { timeout: 2_000 });
          }
          if (change.what === "recreate" || change.what === "add") await this.#create(change.target);
          this.#tell(
            `${change.what} ${keyOf(change.target)} ${change.what === "patch" ? JSON.stringify(change.patch) : ""}`,
          );
        }
      } catch (error) {
        // What others forbid, or is gone, does not happen.
        this.#tell(`not done: ${change.what}: ${String(error).slice(0, 200)}`);
      }
      if (change.what !== "files" && change.what !== "delete") await sleep(30);
    }
  }

  async #changeFiles({ nth, how, text }: Extract<Change, { what: "files" }>): Promise<void> {
    const { volumeOf } = await takeState(this.#cluster, this.#scope);
    const claims = [...volumeOf].sort(([a], [b]) => (a < b ? -1 : 1));
    if (claims.length === 0) return;
    const [claim, volume] = claims[nth % claims.length]!;
    const folder = await this.#folderOf(claim, volume);
    if (folder === undefined) return;
    if (how === "gone") for (const name of readdirSync(folder)) await rm(join(folder, name), { recursive: true });
    else await writeFile(join(folder, how === "more" ? "MORE" : "VERSION"), text);
    this.#tell(`files ${how} in ${claim}`);
  }

  /** Undefined for a claim on no volume of the folder driver. */
  async #folderOf(claim: string, volume: string): Promise<string | undefined> {
    const { spec } = await this.#cluster.kubernetes.get(
      apiPath({ apiVersion: "v1", resource: "persistentvolumes" }, undefined, volume),
    );
    if (spec.csi?.driver !== "dir.csi.test") return undefined;
    const [namespace = "", name = ""] = claim.split("/");
    const folder = await claimFolder(this.#cluster, namespace, name);
    await mkdir(folder, { recursive: true }); // of a volume made by hand
    return folder;
  }

  /** Owners are told by name; their uids are known only now. */
  async #create(object: KubernetesObject): Promise<void> {
    const { kubernetes } = this.#cluster;
    const made = structuredClone(object);
    for (const owner of made.metadata.ownerReferences ?? []) {
      const { namespace } = made.metadata;
      const path = pathOf(
        { ...owner, metadata: { name: owner.name, ...(namespace !== undefined && { namespace }) } },
        "object",
      );
      owner.uid = (await kubernetes.get(path)).metadata["uid"] as string;
    }
    const isServed = async () => {
      try {
        await kubernetes.create(pathOf(made, "collection"), made);
        return true;
      } catch (error) {
        // A definition that was just made is not served yet.
        if (error instanceof KubernetesError && error.status === 404) return false;
        throw error;
      }
    };
    await eventually(`${keyOf(made)} is made`, isServed, { timeout: 10_000, interval: 50 });
  }

  async #restore(
    service: WorldService,
    backupCrn: string,
    { saved, before, isFirst }: { saved: State; before: State; isFirst: boolean },
  ): Promise<{ readonly breaches: readonly string[] }> {
    const crn = await service.restore(backupCrn);
    const { deaths } = this.#world;
    if (isFirst) {
      void this.#dieOff(service, crn, deaths).catch((error: unknown) => this.#tell(`not dead: ${String(error)}`));
      void this.#policies.followRestore(() => service.describe(crn));
    }
    const ended = await this.#ended(service, crn);
    const log = await service.log(crn);
    const outcome: RestoreOutcome = {
      state: ended.state,
      messages: ended.messages,
      wentBack: /going back to what was there/.test(log),
      uuid: uuidOf(crn),
    };
    this.#tell(`restore ${ended.state}${outcome.wentBack ? ", went back" : ""}`);
    for (const { namespace, text } of ended.messages) this.#tell(`  ${namespace}: ${text}`);
    const [backup, safety] = await Promise.all([
      openArchive(service, `backups/${uuidOf(backupCrn)}`),
      openArchive(service, `safety/${outcome.uuid}`),
    ]);
    const copies = {
      inBackup: backup?.keys ?? new Set<string>(),
      snapshots: backup?.snapshots ?? new Set<string>(),
      inSafetyArchive: safety?.keys,
    };
    // Controllers may have to do still.
    const end = Date.now() + 8_000;
    for (;;) {
      const after = await takeState(this.#cluster, this.#scope);
      const found = breaches({ saved, before, after, outcome, copies, ignored: this.#policies.touched });
      if (found.length === 0 || Date.now() > end) {
        this.#tell("looked at");
        if (found.length > 0) this.#tell(log);
        return { breaches: found };
      }
      await sleep(500);
    }
  }

  /** Kills the service, some time after the job began, unless the job is over before. */
  async #dieOff(service: WorldService, crn: string, deaths: World["deaths"]): Promise<void> {
    if (deaths === "none") return;
    const isOver = async () => over.includes((await service.describe(crn)).state);
    if ("killedAfterMs" in deaths) {
      await sleep(deaths.killedAfterMs);
      if (await isOver()) return;
      await service.die(0);
      this.#tell("killed");
      return;
    }
    for (const writes of deaths.atWrites) {
      await service.die(writes);
      this.#tell(`died at write ${writes}`);
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
    this.#tell(`backup FAILED: ${messages.map(({ text }) => text).join("; ")}`);
    const isForbidden = this.#world.policies.some(({ appears }) => appears === "before backup");
    return { breaches: isForbidden ? [] : ["a backup failed that nobody forbade"], story: this.#story.join("\n") };
  }

  #tell(text: string): void {
    this.#story.push(`${((performance.now() - this.#began) / 1_000).toFixed(1)} s: ${text}`);
  }
}
