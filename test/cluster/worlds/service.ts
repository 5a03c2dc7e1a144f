import { copyFileSync, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Archives } from "../../../engine/archive/archives.ts";
import { CrashPoints } from "../../../engine/crash-points.ts";
import { createEngine } from "../../../engine/create-engine.ts";
import type { Engine } from "../../../engine/engine.ts";
import { defaultRunnerSettings } from "../../../engine/jobs/runner.ts";
import type { Message, RestorePlan } from "../../../engine/model.ts";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";
import type { TestCluster } from "../support/cluster.ts";
import { keyOf } from "./kinds.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { startService, type TestService } from "../support/service.ts";

export interface JobStatus {
  readonly state: string;
  readonly phase: string;
  readonly messages: readonly Pick<Message, "namespace" | "text">[];
}

/** The service of one world, as far as a world needs it. It lives in this process, or in one of its own that can be killed. */
export interface WorldService {
  /** Holds the archives. */
  readonly folder: string;
  backUp(): Promise<string>;
  restore(backupCrn: string): Promise<string>;
  describe(crn: string): Promise<JobStatus>;
  log(crn: string): Promise<string>;
  /** Dies by SIGKILL and starts again; in this process at the nth write from now on. */
  die(when: number): Promise<void>;
  close(): Promise<void>;
}

const limits = {
  hookTimeout: 2_000,
  snapshotTimeout: 20_000,
  podsStopTimeout: 12_000,
  finalizerTimeout: 1_000,
  appsStartTimeout: 8_000,
  clusterConcurrency: 16,
  queuedJobs: 100,
};
const caller = { name: "", requestId: "" };

/** An engine in this process. Its death is that nothing it does later is seen any more, and another goes on from its database. */
export class EngineService implements WorldService {
  readonly folder: string;
  readonly #cluster: TestCluster;
  readonly #namespace: string;
  readonly #fillNamespace: string | undefined;
  #engine: Engine | undefined;
  #databases = 0;
  #writesLeft = Number.POSITIVE_INFINITY;
  #died: PromiseWithResolvers<void> | undefined;
  #isClosed = false;

  private constructor(cluster: TestCluster, namespace: string, folder: string, fillNamespace: string | undefined) {
    this.#cluster = cluster;
    this.#namespace = namespace;
    this.#fillNamespace = fillNamespace;
    this.folder = folder;
  }

  /** `fillNamespace`: where it fills volumes first; without, it does not. */
  static async start(cluster: TestCluster, namespace: string, fillNamespace?: string): Promise<EngineService> {
    const folder = await mkdtemp(join(tmpdir(), "drs-world-"));
    const service = new EngineService(cluster, namespace, folder, fillNamespace);
    await service.#start();
    return service;
  }

  backUp(): Promise<string> {
    return this.#running.createBackup({ backupName: "", itemName: "", caller });
  }

  restore(backupCrn: string, plan: Partial<RestorePlan> = {}): Promise<string> {
    return this.#running.restoreBackup({ backupCrn, caller, ...plan });
  }

  removeScratch(restoreCrn: string): Promise<string> {
    return this.#running.removeScratch({ restoreCrn, caller });
  }

  async describe(crn: string): Promise<JobStatus> {
    const { state, phase, warnings, errors } = crn.includes(":restore:")
      ? this.#running.describeRestore(crn)
      : this.#running.describeBackup(crn);
    return { state, phase, messages: [...warnings, ...errors] };
  }

  async log(crn: string): Promise<string> {
    return this.#running.getLogs(crn);
  }

  async die(writes: number): Promise<void> {
    this.#died = Promise.withResolvers<void>();
    this.#writesLeft = writes;
    await this.#died.promise;
    if (this.#isClosed) return;
    await this.#running.close();
    await this.#start();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#died?.resolve();
    await this.#engine?.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  get #running(): Engine {
    if (this.#engine === undefined) throw new Error("the service is not running");
    return this.#engine;
  }

  async #start(): Promise<void> {
    this.#writesLeft = Number.POSITIVE_INFINITY;
    this.#engine = await createEngine(
      {
        databasePath: join(this.folder, `${this.#databases}.db`),
        storage: { kind: "folder", path: join(this.folder, "archives") },
        cluster: { kubeconfig: this.#cluster.kubeconfig },
        controlPlane: {
          namespace: this.#namespace,
          vaultNamespace: `${this.#namespace}-vault`,
          furtherNamespaces: [],
          furtherObjects: [],
          databaseStatefulSet: "cdp-embedded-db",
        },
        crn: { partition: "altus", region: "us-west-1", account: "worlds" },
        restore: {
          rollBack: true,
          rollBackTimeout: 4_000,
          statusOf: [],
          maxRefusedObjects: 5,
          ...(this.#fillNamespace !== undefined && { fillNamespace: this.#fillNamespace }),
        },
        limits,
      },
      {
        crashPoints: new CrashPoints((point) => this.#reach(point)),
        runner: {
          ...defaultRunnerSettings,
          backoff: { firstDelay: 50, maxDelay: 1_000 },
          maxAttempts: 4,
          maxCleanUps: 8,
        },
      },
    );
  }

  /** From the deadly write on every further one fails, and so does the end of each phase. */
  #reach(point: string): void {
    this.#writesLeft--;
    if (this.#writesLeft > 0) return;
    if (this.#writesLeft === 0) {
      this.#databases++;
      for (const suffix of ["", "-wal"]) {
        const file = join(this.folder, `${this.#databases - 1}.db${suffix}`);
        if (existsSync(file)) copyFileSync(file, join(this.folder, `${this.#databases}.db${suffix}`));
      }
      this.#died?.resolve();
    }
    throw new Error(`dead at ${point}`);
  }
}

/** A process of its own. */
export class ProcessService implements WorldService {
  readonly #options: { cluster: TestCluster; flags: readonly string[] };
  #service: TestService;

  private constructor(options: { cluster: TestCluster; flags: readonly string[] }, service: TestService) {
    this.#options = options;
    this.#service = service;
  }

  static async start(cluster: TestCluster, namespace: string, fillNamespace?: string): Promise<ProcessService> {
    const flags = [
      ...(fillNamespace === undefined ? [] : [`--fill-namespace=${fillNamespace}`]),
      `--namespace=${namespace}`,
      `--vault-namespace=${namespace}-vault`,
      "--encryption-keys=off",
      `--snapshot-timeout=${limits.snapshotTimeout}ms`,
      `--pods-stop-timeout=${limits.podsStopTimeout}ms`,
      `--finalizer-timeout=${limits.finalizerTimeout}ms`,
      `--apps-start-timeout=${limits.appsStartTimeout}ms`,
      "--go-back-timeout=4s",
    ];
    return new ProcessService({ cluster, flags }, await startService({ cluster, flags }));
  }

  get folder(): string {
    return this.#service.data;
  }

  async backUp(): Promise<string> {
    return (await this.#service.api("createBackup")).backupCrn;
  }

  async restore(backupCrn: string): Promise<string> {
    return (await this.#service.api("restoreBackup", { backupCrn })).restoreCrn;
  }

  async describe(crn: string): Promise<JobStatus> {
    const view = crn.includes(":restore:")
      ? (await this.#service.api("describeRestore", { restoreCrn: crn })).restore
      : (await this.#service.api("describeBackup", { backupCrn: crn })).backup;
    return {
      state: view.restoreJobState ?? view.backupJobState,
      phase: view.restorePhase ?? view.backupPhase,
      messages: [...view.warnings, ...view.errors],
    };
  }

  async log(crn: string): Promise<string> {
    return (await this.#service.api("getLogs", { crn })).logs;
  }

  async die(): Promise<void> {
    await this.#service.kill("SIGKILL");
    this.#service = await startService({ ...this.#options, data: this.#service.data });
  }

  close(): Promise<void> {
    return this.#service.stop();
  }
}

/** The keys of the objects in an archive, and the claims whose data is saved with it; undefined when there is none. */
export async function openArchive(
  service: WorldService,
  folder: string,
): Promise<{ readonly keys: ReadonlySet<string>; readonly snapshots: ReadonlySet<string> } | undefined> {
  const root = join(service.folder, "archives");
  if (!existsSync(join(root, folder, "manifest.json"))) return undefined;
  const { signal } = new AbortController();
  const reader = await new Archives(new FilesystemArchiveStorage(root)).open(folder, signal);
  const keys = new Set<string>();
  for (const part of reader.parts)
    for await (const bytes of reader.objects(part, signal)) {
      const object = JSON.parse(bytes.toString()) as KubernetesObject;
      keys.add(keyOf({ ...object, apiVersion: part.apiVersion, kind: part.kind }));
    }
  return { keys, snapshots: new Set(reader.manifest.volumes.map(({ namespace, claim }) => `${namespace}/${claim}`)) };
}

export function uuidOf(crn: string): string {
  return crn.slice(crn.lastIndexOf(":") + 1);
}
