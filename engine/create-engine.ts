import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { ClusterAuth } from "./cluster-auth.ts";
import { Archives } from "./archive/archives.ts";
import { listArchives } from "./archive/catalog.ts";
import { KnownArchives } from "./archive/known-archives.ts";
import { Closers } from "./closers.ts";
import type { EngineConfig } from "./config.ts";
import type { CopyWork } from "./jobs/deps.ts";
import { CopyPlanner } from "./copy/copy-planner.ts";
import { UpkeepPlanner } from "./copy/upkeep/upkeep-planner.ts";
import { CrashPoints } from "./crash-points.ts";
import type { Engine } from "./engine.ts";
import { type ArchiveEncryption, openEncryption } from "./encryption/archive-encryption.ts";
import { DrsError } from "./errors.ts";
import { importArchives } from "./import-archives.ts";
import { createJobDefinitions } from "./job-definitions.ts";
import { pause } from "./jobs/backoff.ts";
import { cancel } from "./jobs/cancelling.ts";
import { ControlPlaneLease } from "./jobs/control-plane-lease.ts";
import { Intake } from "./jobs/intake.ts";
import { holderName, leaseNamespace } from "./jobs/lease-record.ts";
import type { JobDefinition } from "./jobs/phase.ts";
import { defaultRunnerSettings, JobRunner } from "./jobs/runner.ts";
import type { RunnerSettings } from "./jobs/runner.ts";
import { Cluster } from "./kubernetes/cluster.ts";
import { silentLogger } from "./logger.ts";
import type { Logger } from "./logger.ts";
import type { JobKind } from "./model.ts";
import { existingEntities } from "./objects/entities.ts";
import { excludedResources } from "./kinds/of-cluster.ts";
import { Operations } from "./operations/operations.ts";
import { orphanedArchives } from "./orphaned-archives.ts";
import type { ArchiveStorage } from "./storage/archive-storage.ts";
import { openStorage } from "./storage/open-storage.ts";
import { openStore } from "./store/store.ts";
import type { Store } from "./store/store.ts";

/** Replacements of the real collaborators by a test, or an embedding program. */
export interface EngineOverrides {
  readonly clock?: () => Date;
  /** Between 0 and 1. */
  readonly random?: () => number;
  readonly logger?: Logger;
  readonly storage?: ArchiveStorage;
  readonly definitions?: Readonly<Record<JobKind, JobDefinition>>;
  readonly runner?: Partial<RunnerSettings>;
  readonly crashPoints?: CrashPoints;
  readonly listEntities?: () => Promise<readonly string[]>;
}

/** How long, in milliseconds, a start waits for the backups that lie in the storage; the search then goes on behind it. */
const importWait = 10_000;
/** How long a caller waits for the cluster's answer. */
const entitiesTimeout = 30_000;

/**
 * Builds the engine's parts and starts it: unfinished jobs continue, and backups in the storage that the database does
 * not know are listed. The cluster and the storage need not answer for that; the database must.
 */
export async function createEngine(config: EngineConfig, overrides: EngineOverrides = {}): Promise<Engine> {
  const { crashPoints = new CrashPoints(), clock = () => new Date(), logger = silentLogger } = overrides;
  const closers = new Closers(logger);
  try {
    const store = openStore(config.databasePath);
    closers.onClose(() => store.database.close());
    const storage = crashPoints.watch(overrides.storage ?? (await openStorage(config.storage)));
    closers.onClose(() => storage.close());
    const lease = await openLease(config, store, logger, closers);
    const cluster = await Cluster.open(config.cluster, config.limits.clusterConcurrency, {
      around: (what, write) => crashPoints.around(what, () => lease.guard(write)),
      mayGo: () => lease.check(),
    });
    closers.onClose(() => cluster.close());
    // Last, as it may make a key, and a start that fails for another reason should make none.
    const encryption = config.encryption && (await openEncryption(config.encryption, logger, clock()));
    const { server, context } = cluster.address;
    const { namespace, vaultNamespace, furtherNamespaces } = config.controlPlane;
    logger.info(
      {
        cluster: server,
        context,
        namespaces: [...new Set([namespace, vaultNamespace, ...furtherNamespaces])],
        storage: storage.description,
        encryptionKey: encryption?.keys.current.id ?? "none: backups are not encrypted",
      },
      "backs up and restores this control plane",
    );
    const archives = new Archives(storage, encryption, new KnownArchives(store.archives));
    const backgroundCluster = await Cluster.open(config.cluster, config.limits.clusterConcurrency, {
      around: (what, write) => crashPoints.around(what, write),
      mayGo: () => {},
    });
    closers.onClose(() => backgroundCluster.close());
    return await startEngine(config, overrides, {
      copies: copyWork(config, encryption),
      backgroundCluster,
      store,
      storage,
      archives,
      cluster,
      lease,
      crashPoints,
      closers,
    });
  } catch (error) {
    await closers.close().catch(() => {}); // logged
    throw error;
  }
}

/** FAILED_PRECONDITION without a key: the repository's password is made from it. */
function copyWork({ copies }: EngineConfig, encryption: ArchiveEncryption | undefined): CopyWork | undefined {
  if (copies === undefined) return undefined;
  if (encryption === undefined)
    throw new DrsError("FAILED_PRECONDITION", "copies need an encryption key: see --encryption-keys", {
      id: "DRS-V001",
    });
  return { config: copies, passwords: encryption.keys.repositoryPasswords };
}

interface Opened {
  readonly copies: CopyWork | undefined;
  readonly backgroundCluster: Cluster;
  readonly store: Store;
  readonly storage: ArchiveStorage;
  readonly archives: Archives;
  readonly cluster: Cluster;
  readonly lease: ControlPlaneLease;
  readonly crashPoints: CrashPoints;
  readonly closers: Closers;
}

async function startEngine(
  { controlPlane, restore, limits, crn }: EngineConfig,
  overrides: EngineOverrides,
  { store, storage, archives, cluster, backgroundCluster, copies, lease, crashPoints, closers }: Opened,
): Promise<Engine> {
  const { clock = () => new Date(), random = Math.random, logger = silentLogger } = overrides;
  const closing = new AbortController();
  const common = { store, logger, clock, random, crashPoints };

  closers.onClose(() => lease.close());
  const definitionDeps = { cluster, backgroundCluster, storage, archives, controlPlane, restore, limits, copies };
  const intake = new Intake({
    store,
    wakeRunner: () => runner.wake(),
    clock,
    crn,
    flags: { controlPlane, restore },
    queuedJobs: limits.queuedJobs,
  });
  const planner = copies && new CopyPlanner(common, intake);
  const upkeep = copies?.config.upkeep;
  const upkeepPlanner = upkeep && new UpkeepPlanner(common, intake, upkeep, controlPlane.namespace);
  const runner = new JobRunner({
    ...common,
    ...(planner && { onEnd: (job, state) => planner.afterEnd(job, state) }),
    ...(overrides.definitions === undefined
      ? { lease, definitions: createJobDefinitions(definitionDeps) }
      : { definitions: overrides.definitions }),
    settings: { ...defaultRunnerSettings, ...overrides.runner },
  });
  closers.onClose(() => runner.close());
  runner.start();
  planner?.start();
  upkeepPlanner?.start();
  closers.onClose(() => planner?.stop());
  closers.onClose(() => upkeepPlanner?.stop());

  const firstLook = Promise.withResolvers<void>();
  const importing = importArchives(
    {
      ...common,
      ...(planner && { onFound: (backup, { volumes }) => planner.afterFound(backup, volumes) }),
      archives: (signal) => listArchives(storage, archives, signal),
      orphans: (signal) => orphanedArchives(storage, store.jobs, signal),
    },
    closing.signal,
    firstLook.resolve,
  );
  void importing.then(() => runner.wake());
  closers.onClose(() => importing);
  closers.onClose(() => closing.abort());
  await Promise.race([importing, firstLook.promise, pause(importWait, closing.signal)]);

  let closed: Promise<void> | undefined;
  return new Operations({
    store,
    intake,
    cancel: (job, caller) => cancel(common, job, caller),
    stopCancelled: (crn) => runner.stopCancelled(crn),
    controlPlane: controlPlane.namespace,
    clock,
    excludedResources,
    auth: new ClusterAuth(cluster, clock),
    listEntities:
      overrides.listEntities ??
      (() => inTime(closing.signal, (signal) => existingEntities(cluster, controlPlane, signal))),
    close: () => (closed ??= closers.close()),
  });
}

async function openLease(
  { cluster: address, controlPlane }: EngineConfig,
  store: Store,
  logger: Logger,
  closers: Closers,
): Promise<ControlPlaneLease> {
  const cluster = await Cluster.open(address, 1);
  closers.onClose(() => cluster.close());
  return new ControlPlaneLease({
    cluster,
    namespace: leaseNamespace,
    name: `data-recovery-service-${controlPlane.namespace}`,
    holder: holderName(hostname(), store.serviceId, randomUUID().slice(0, 8)),
    logger,
  });
}

/** Asks the cluster on behalf of a caller, who does not wait forever. */
async function inTime<T>(closing: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.any([closing, AbortSignal.timeout(entitiesTimeout)]);
  try {
    return await ask(signal);
  } catch (error) {
    if (!signal.aborted || error instanceof DrsError) throw error;
    throw new DrsError("UNAVAILABLE", "the cluster does not answer: try again later", { cause: error });
  }
}
