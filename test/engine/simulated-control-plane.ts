import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { KubernetesClient } from "../../demo/kubernetes-client.ts";
import type { KubernetesObject } from "../../demo/kubernetes-client.ts";
import { takePicture } from "../../demo/picture.ts";
import type { Picture } from "../../demo/picture.ts";
import { Archives } from "../../engine/archive/archives.ts";
import type {
  ControlPlaneConfig,
  CopiesConfig,
  EncryptionConfig,
  FurtherObjects,
  LimitsConfig,
  RestoreConfig,
} from "../../engine/config.ts";
import { createEngine } from "../../engine/create-engine.ts";
import { openEncryption } from "../../engine/encryption/archive-encryption.ts";
import type { Engine } from "../../engine/engine.ts";
import { silentLogger } from "../../engine/logger.ts";
import type { JobState, RestorePlan } from "../../engine/model.ts";
import { FilesystemArchiveStorage } from "../../engine/storage/filesystem-archive-storage.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import type { Simulator, SimulatorOptions } from "../../simulator/simulator.ts";
import { fastSettings } from "./jobs/small-jobs.ts";
import { engineConfig } from "./small-engine.ts";
import { temporaryFolder } from "./store/temporary-store.ts";

export const namespaces = ["cdp", "vault-system"];
const caller = { name: "", requestId: "" };
const over: readonly (JobState | "NOT_FOUND")[] = ["COMPLETED", "PARTIALLY_FAILED", "FAILED"];

/** Makes a request wait until the service that sent it is closed, and so a service stand still where a test wants to end it. */
export const noAnswer = new Promise<undefined>(() => {});

export interface SceneOptions extends SimulatorOptions {
  readonly limits?: Partial<LimitsConfig>;
  readonly furtherNamespaces?: readonly string[];
  readonly furtherObjects?: readonly FurtherObjects[];
  readonly statusOf?: readonly string[];
  readonly maxRefusedObjects?: number;
  /** How often a phase is tried: more where a test itself ends what it waits for. */
  readonly maxAttempts?: number;
  readonly rollBackTimeout?: number;
  readonly rollBack?: boolean;
  /** Where volumes are filled while the applications run: nowhere when not given. It has to exist. */
  readonly fillNamespace?: string;
  readonly prefer?: "snapshot" | "copy";
  readonly storageClassMap?: Readonly<Record<string, string>>;
  /** How volumes are copied: not at all when not given. */
  readonly copies?: CopiesConfig;
  /** Whether archives are encrypted, as they are unless somebody turns it off. */
  readonly isEncrypted?: boolean;
  /** Whether archives that are not encrypted are read all the same. */
  readonly readsUnencrypted?: boolean;
}

export interface Restart {
  readonly forgetful?: boolean;
  readonly flags?: Pick<
    SceneOptions,
    | "furtherNamespaces"
    | "furtherObjects"
    | "statusOf"
    | "maxRefusedObjects"
    | "rollBackTimeout"
    | "rollBack"
    | "fillNamespace"
    | "prefer"
    | "storageClassMap"
  >;
  /** Done while no service runs. */
  readonly meanwhile?: () => void;
  readonly copies?: CopiesConfig;
}

/** A simulated cluster with the sample control plane, and the service on it, with a real database and real archives. */
export class Scene {
  readonly simulator: Simulator;
  readonly client: KubernetesClient;
  readonly folder = temporaryFolder();
  readonly #limits: Partial<LimitsConfig>;
  #copies: CopiesConfig | undefined;
  #further: Pick<ControlPlaneConfig, "furtherNamespaces" | "furtherObjects">;
  #restore: Partial<RestoreConfig>;
  readonly #encryption: EncryptionConfig | undefined;
  readonly #maxAttempts: number;
  #engine: Engine | undefined;
  #databases = 1;

  private constructor(
    simulator: Simulator,
    {
      limits = {},
      furtherNamespaces = [],
      furtherObjects = [],
      statusOf = [],
      maxRefusedObjects = 5,
      maxAttempts = 3,
      rollBackTimeout = 0,
      rollBack = true,
      fillNamespace = "",
      isEncrypted = true,
      readsUnencrypted = false,
      copies,
    }: SceneOptions,
  ) {
    this.simulator = simulator;
    this.client = new KubernetesClient(simulator.url);
    this.#limits = limits;
    this.#copies = copies;
    this.#further = { furtherNamespaces, furtherObjects };
    this.#restore = { statusOf, maxRefusedObjects, rollBackTimeout, rollBack, fillNamespace };
    this.#maxAttempts = maxAttempts;
    const keyFile = join(this.folder, "encryption-keys");
    this.#encryption = isEncrypted ? { keyFile, makeKey: true, readsUnencrypted } : undefined;
  }

  static async open(options: SceneOptions = {}): Promise<Scene> {
    const scene = new Scene(await startSimulator({ sample: true, ...options }), options);
    await scene.restart();
    onTestFinished(async () => {
      await scene.engine.close();
      await scene.simulator.close();
    });
    return scene;
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error("the service is not running");
    return this.#engine;
  }

  /**
   * Ends the service, wherever its jobs are, and starts another one on the same database, or on an empty one, with the
   * same flags or these ones.
   */
  async restart({ forgetful = false, flags = {}, copies, meanwhile = () => {} }: Restart = {}): Promise<void> {
    await this.#engine?.close();
    meanwhile();
    if (forgetful) this.#databases++;
    const { furtherNamespaces, furtherObjects, ...restore } = flags;
    this.#further = {
      furtherNamespaces: furtherNamespaces ?? this.#further.furtherNamespaces,
      furtherObjects: furtherObjects ?? this.#further.furtherObjects,
    };
    this.#restore = { ...this.#restore, ...restore };
    this.#copies = copies ?? this.#copies;
    const config = engineConfig(this.folder);
    const limits = {
      hookTimeout: 2_000,
      snapshotTimeout: 5_000,
      podsStopTimeout: 5_000,
      finalizerTimeout: 150,
      appsStartTimeout: 5_000,
      clusterConcurrency: 16,
      queuedJobs: 100,
      ...this.#limits,
    };
    this.#engine = await createEngine(
      {
        ...config,
        databasePath: this.databasePath,
        cluster: { server: this.simulator.url },
        controlPlane: { ...config.controlPlane, ...this.#further },
        restore: { ...config.restore, ...this.#restore },
        ...(this.#encryption && { encryption: this.#encryption }),
        limits,
        ...(this.#copies && { copies: this.#copies }),
      },
      { runner: { ...fastSettings, maxAttempts: this.#maxAttempts, maxCleanUps: 6 } },
    );
  }

  get databasePath(): string {
    return join(this.folder, `${this.#databases}.db`);
  }

  startBackup(itemName = ""): Promise<string> {
    return this.engine.createBackup({ backupName: "", itemName, caller });
  }

  startRestore(backupCrn: string, plan: Partial<RestorePlan> = {}): Promise<string> {
    return this.engine.restoreBackup({ backupCrn, caller, ...plan });
  }

  startDeletion(backupCrn: string): Promise<string> {
    return this.engine.deleteBackup({ backupCrn, caller });
  }

  async backup(itemName = "") {
    const crn = await this.startBackup(itemName);
    await this.until(() => over.includes(this.engine.describeBackup(crn).state));
    return this.engine.describeBackup(crn);
  }

  async restore(backupCrn: string, plan: Partial<RestorePlan> = {}) {
    return this.restored(await this.startRestore(backupCrn, plan));
  }

  /** The restore's description when it is over. */
  async restored(crn: string) {
    await this.until(() => over.includes(this.engine.describeRestore(crn).state));
    return this.engine.describeRestore(crn);
  }

  /** Waits until something is so, for a time that has to do for a busy machine. */
  async until(isSo: () => boolean | Promise<boolean>, timeout = 110_000): Promise<void> {
    await vi.waitFor(
      async () => {
        if (!(await isSo())) throw new Error("it is not so");
      },
      { interval: 10, timeout },
    );
  }

  /** Every object and file. */
  async picture(): Promise<Picture> {
    await this.simulator.settled();
    return takePicture(this.client, this.simulator.volumes, namespaces);
  }

  /** What each object of the namespaces is and when it was changed last. */
  async versions(): Promise<readonly string[]> {
    await this.simulator.settled();
    const all = await this.client.listAll();
    return all
      .filter(({ metadata }) => namespaces.includes(metadata.namespace ?? ""))
      .map(
        ({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name} ${String(metadata["resourceVersion"])}`,
      )
      .sort();
  }

  get(path: string): Promise<KubernetesObject> {
    return this.client.request("GET", path) as Promise<KubernetesObject>;
  }

  /** Merges a patch into an object. */
  change(path: string, patch: object): Promise<unknown> {
    return this.client.request("PATCH", path, patch);
  }

  create(path: string, object: object): Promise<KubernetesObject> {
    return this.client.request("POST", path, object) as Promise<KubernetesObject>;
  }

  remove(path: string): Promise<unknown> {
    return this.client.request("DELETE", path);
  }

  /** Deletes all objects of collections: a restore has to create what is lost, and only updates what is there. */
  async lose(...collections: readonly string[]): Promise<void> {
    for (const collection of collections)
      for (const name of await this.names(collection)) await this.remove(`${collection}/${name}`);
    await this.simulator.settled();
  }

  /** The names of a collection's objects. */
  async names(path: string): Promise<readonly string[]> {
    const { items } = (await this.client.request("GET", path)) as { items: KubernetesObject[] };
    return items.map(({ metadata }) => metadata.name);
  }

  /** The service's archives, to be read and written as it would. */
  async openArchives(): Promise<Archives> {
    const storage = new FilesystemArchiveStorage(join(this.folder, "archives"));
    return new Archives(
      storage,
      this.#encryption && (await openEncryption(this.#encryption, silentLogger, new Date())),
    );
  }

  /** The folders of archives that lie in the storage: `backups` or `safety`. */
  archives(kind: "backups" | "safety"): readonly string[] {
    const folder = join(this.folder, "archives", kind);
    return existsSync(folder) ? readdirSync(folder) : [];
  }
}

/** The phases in a job's log, in order. */
export function phasesIn(log: string): readonly string[] {
  return [...log.matchAll(/^\S+ +[A-Z]+ +([A-Z_]+) phase started$/gm)].map(([, phase = ""]) => phase);
}

export const texts = (messages: readonly { readonly namespace: string; readonly text: string }[]) =>
  messages.map(({ namespace, text }) => (namespace === "" ? text : `${namespace}: ${text}`));
