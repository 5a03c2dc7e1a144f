import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { snapshotHandlesOf } from "../support/archives.ts";
import type { TestCluster } from "../support/cluster.ts";
import {
  type ControlPlanePicture,
  createClusterScoped,
  createControlPlane,
  differencesSince,
  takeControlPlanePicture,
  waitUntilSettled,
} from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";
import { apiPath, type KubernetesObject } from "../support/kubernetes-client.ts";
import { type ClusterPicture, servicesOwnLabel } from "../support/picture.ts";
import type { TestService } from "../support/service.ts";
import { treeDigest, volumes } from "../support/volumes.ts";
import { wreckInPlace } from "../support/wreck.ts";
import { type Death, type DoomedJob, runThroughDeaths, type Survivor } from "./deaths.ts";

const finalStates = ["COMPLETED", "PARTIALLY_FAILED", "FAILED"];
const snapshotVersion = "snapshot.storage.k8s.io/v1";

/** Under no key, and removed by a later backup when it is an hour old; or the few bytes with which a storage is tried out. */
const goesByItself = /^\.unfinished\b|^check-/;

/** A control plane and the data folder of a service that dies again and again. */
export class CrashScene {
  readonly cluster: TestCluster;
  readonly before: ControlPlanePicture;
  readonly data: string;
  /** Extra flags of every process. */
  readonly flags: readonly string[];
  /** What lay in the storage system before, of others: `volumes/HANDLE` and `snapshots/HANDLE`. */
  readonly #others: ReadonlySet<string>;
  #names = 0;
  /** The process that ended the last job. */
  #service: TestService | undefined;

  private constructor(
    cluster: TestCluster,
    before: ControlPlanePicture,
    data: string,
    others: ReadonlySet<string>,
    fills: boolean,
  ) {
    this.cluster = cluster;
    this.before = before;
    this.data = data;
    this.#others = others;
    this.flags = ["--finalizer-timeout", "3s", "--fill-namespace", fills ? "default" : "off"];
  }

  /** With `fills` volumes are filled while the applications run. */
  static async open(cluster: TestCluster, { fills = false } = {}): Promise<CrashScene> {
    const before = await createControlPlane(cluster);
    const data = await mkdtemp(join(tmpdir(), "drs-crash-"));
    const living = await handlesInUse(cluster);
    const others = (await storedHandles(cluster)).filter((handle) => !living.has(handle));
    return new CrashScene(cluster, before, data, new Set(others), fills);
  }

  async close(): Promise<void> {
    await this.#service?.kill();
    await rm(this.data, { recursive: true, force: true });
  }

  /** A backup through deaths, and its CRN. The process that has ended it lives until the next job is asked for. */
  async backup(deaths: readonly Death[] = []): Promise<Survivor & { readonly crn: string }> {
    const backupName = `backup ${++this.#names}`;
    const mine = async (service: TestService): Promise<readonly JobSummary[]> =>
      (await service.api("listBackups", { backupName })).backups;
    const survivor = await this.#run(
      {
        options: this.#options,
        ask: (service) => service.api("createBackup", { backupName }),
        isOver: async (service) => areOver(await mine(service)),
      },
      deaths,
    );
    return { ...survivor, crn: theOnly(await mine(survivor.service)).backupCrn };
  }

  /** A restore through deaths, and its CRN. */
  async restore(
    backupCrn: string,
    deaths: readonly Death[] = [],
    more: Pick<DoomedJob, "flags" | "onDeath"> = {},
  ): Promise<Survivor & { readonly crn: string }> {
    let earlier: readonly string[] | undefined;
    const list = async (service: TestService): Promise<readonly JobSummary[]> =>
      (await service.api("listRestores", { backupCrn })).restores;
    const mine = async (service: TestService) =>
      (await list(service)).filter(({ restoreCrn }) => !earlier?.includes(restoreCrn));
    const survivor = await this.#run(
      {
        ...more,
        options: this.#options,
        ask: async (service) => {
          earlier = (await list(service)).map(({ restoreCrn }) => restoreCrn);
          await service.api("restoreBackup", { backupCrn });
        },
        isOver: async (service) => areOver(await mine(service)),
      },
      deaths,
    );
    return { ...survivor, crn: theOnly(await mine(survivor.service)).restoreCrn };
  }

  /** A deletion through deaths. It is over when its backup is gone, or when it has failed. */
  async delete(
    backupCrn: string,
    deaths: readonly Death[] = [],
  ): Promise<Survivor & { readonly crn: string | undefined }> {
    let crn: string | undefined;
    const survivor = await this.#run(
      {
        options: this.#options,
        ask: async (service) => {
          crn = (await service.api("deleteBackup", { backupCrn })).deleteBackupCrn;
        },
        isOver: async (service) => {
          const { backups } = (await service.api("listBackups")) as { backups: readonly JobSummary[] };
          if (!backups.some((backup) => backup.backupCrn === backupCrn)) return true;
          if (crn === undefined) return false;
          const { logs } = await service.api("getLogs", { crn });
          return / FINISHED job ended FAILED/.test(logs);
        },
      },
      deaths,
    );
    return { ...survivor, crn };
  }

  /** Wrecks the control plane, but so that it can run, and gives what it is then, when the cluster has come to rest. */
  async wreck(): Promise<ControlPlanePicture> {
    await wreckInPlace(this.cluster);
    await createClusterScoped(this.cluster);
    await this.cluster.kubectl("delete", "clusterrolebinding/cdp:node-viewer");
    // The cluster's garbage collector takes half a minute to learn of their kind.
    const orphans = ["configmap/ingest-plan", "pipeline/ingest-first-stage"];
    await this.cluster.kubectl("--namespace=cdp", "delete", "--ignore-not-found", ...orphans);
    return eventually(
      "the wrecked control plane comes to rest",
      async () => {
        await waitUntilSettled(this.cluster);
        const picture = await takeControlPlanePicture(this.cluster);
        if (isOnItsWayOut(picture.objects)) return false;
        await sleep(1_000);
        return (await differencesSince(picture, this.cluster, { patience: 0 })).length === 0 && picture;
      },
      { timeout: 120_000 },
    );
  }

  /** What differs from the control plane as it was backed up, and what should not be there; a line each. */
  async faults(backups: readonly string[], before = this.before): Promise<readonly string[]> {
    const differences = await differencesSince(before, this.cluster);
    const { objects } = await takeControlPlanePicture(this.cluster);
    return [...differences, ...lostFieldOwners(before.objects, objects), ...(await this.leftovers(backups))];
  }

  /** What is left in the cluster, the storage system and the archives that belongs to none of the existing backups. */
  async leftovers(backups: readonly string[]): Promise<readonly string[]> {
    let left: readonly string[] = [];
    // Drivers delete in their own time.
    await eventually(
      "nothing is left over",
      async () => {
        left = [
          ...(await this.#ownObjects()),
          ...(await this.#releasedVolumes()),
          ...(await this.#strayHandles(backups)),
          ...(await this.#strayArchives(backups)),
          ...(await this.#heldApplications()),
        ];
        return left.length === 0;
      },
      { timeout: 15_000, interval: 500 },
    ).catch(() => {});
    return left;
  }

  /** Only one process at a time may have the data. */
  async #run(job: DoomedJob, deaths: readonly Death[]): Promise<Survivor> {
    await this.#service?.kill();
    const survivor = await runThroughDeaths(job, deaths);
    this.#service = survivor.service;
    return survivor;
  }

  get #options(): DoomedJob["options"] {
    return { cluster: this.cluster, data: this.data, flags: this.flags, crashAt: "nowhere" };
  }

  async #ownObjects(): Promise<readonly string[]> {
    const { kubernetes } = this.cluster;
    const selector = `?labelSelector=${encodeURIComponent(servicesOwnLabel)}`;
    const lists = await Promise.all(
      ["volumesnapshots", "volumesnapshotcontents"].map((resource) =>
        kubernetes.list(apiPath({ apiVersion: snapshotVersion, resource }) + selector),
      ),
    );
    return lists.flat().map(({ kind, metadata }) => `${kind} ${metadata.name}: left over`);
  }

  async #releasedVolumes(): Promise<readonly string[]> {
    const all = await this.cluster.kubernetes.list(apiPath(volumes));
    return all
      .filter(({ status }) => status.phase !== "Bound")
      .map(({ metadata, spec, status }) => `volume ${metadata.name} of ${spec.claimRef?.name}: ${status.phase}`);
  }

  /** Both ways: what is stored for nobody, and what a backup needs and is not stored. */
  async #strayHandles(backups: readonly string[]): Promise<readonly string[]> {
    const needed = await handlesInUse(this.cluster);
    for (const crn of backups) for (const handle of await this.#handlesOf(crn)) needed.add(handle);
    const stored = new Set(await storedHandles(this.cluster));
    return [
      ...[...stored].filter((it) => !needed.has(it) && !this.#others.has(it)).map((it) => `${it}: belongs to nobody`),
      ...[...needed].filter((it) => !stored.has(it)).map((it) => `${it}: lost`),
    ];
  }

  async #handlesOf(backupCrn: string): Promise<readonly string[]> {
    return (await snapshotHandlesOf(this.data, backupCrn)).map((handle) => `snapshots/${handle}`);
  }

  async #strayArchives(backups: readonly string[]): Promise<readonly string[]> {
    const uuids = new Set(backups.map(uuidOf));
    const paths = [...(await treeDigest(join(this.data, "archives"))).keys()];
    return paths
      .filter((path) => !/^(backups|safety)$/.test(path) && !goesByItself.test(path))
      .filter((path) => !uuids.has(/^backups\/([^/]+)/.exec(path)?.[1] ?? ""))
      .map((path) => `archives/${path}: left over`);
  }

  /** A hook that quiesces must have been followed by the one that lets go. */
  async #heldApplications(): Promise<readonly string[]> {
    const log = await readFile(join(this.cluster.folder, "hooks.log"), "utf8").catch(() => "");
    const last = log.trimEnd().split("\n").at(-1) ?? "";
    return last.startsWith("pre ") ? [`${last.slice(4)}: held by its pre hook`] : [];
  }
}

async function storedHandles({ storageFolder }: TestCluster): Promise<string[]> {
  const [volumes, snapshots] = await Promise.all(
    ["volumes", "snapshots"].map(async (folder) => {
      const names = await readdir(join(storageFolder, folder));
      return names.filter((name) => !name.endsWith(".source")).map((name) => `${folder}/${name}`);
    }),
  );
  return [...volumes!, ...snapshots!];
}

/** The volumes and the snapshots that objects of the cluster stand for. */
async function handlesInUse({ kubernetes }: TestCluster): Promise<Set<string>> {
  const contents = apiPath({ apiVersion: snapshotVersion, resource: "volumesnapshotcontents" });
  const [persistent, snapshots] = await Promise.all([kubernetes.list(apiPath(volumes)), kubernetes.list(contents)]);
  return new Set([
    ...persistent.map(({ spec }) => `volumes/${spec.csi.volumeHandle}`),
    ...snapshots.flatMap(({ status }) => (status?.snapshotHandle ? [`snapshots/${status.snapshotHandle}`] : [])),
  ]);
}

/** Who had applied an object on the server side, and is not known to it any more: the next apply would be a conflict. */
function lostFieldOwners(before: ClusterPicture, after: ClusterPicture): readonly string[] {
  return [...before].flatMap(([name, object]) => {
    const [was, is] = [appliersOf(object), appliersOf(after.get(name))];
    return was === is ? [] : [`${name}: applied by ${was}, now by ${is || "nobody"}`];
  });
}

function appliersOf(object: KubernetesObject | undefined): string {
  const fields = (object?.metadata["managedFields"] ?? []) as { manager: string; operation: string }[];
  return fields
    .filter(({ operation }) => operation === "Apply")
    .map(({ manager }) => manager)
    .join();
}

/** Whether an object is being deleted, or waits for the garbage collector since its owner was. */
function isOnItsWayOut(objects: ClusterPicture): boolean {
  const uids = new Set([...objects.values()].map(({ metadata }) => metadata["uid"]));
  return [...objects.values()].some(
    ({ metadata }) =>
      metadata["deletionTimestamp"] !== undefined || metadata.ownerReferences?.some(({ uid }) => !uids.has(uid)),
  );
}

/** As far as the lists of backups and restores are looked at. */
interface JobSummary {
  readonly backupCrn: string;
  readonly backupJobState?: string;
  readonly restoreCrn: string;
  readonly restoreJobState?: string;
}

function areOver(jobs: readonly JobSummary[]): boolean {
  const states = jobs.map((job) => job.restoreJobState ?? job.backupJobState ?? "");
  return states.length > 0 && states.every((state) => finalStates.includes(state));
}

function theOnly<T>(items: readonly T[]): T {
  if (items.length !== 1)
    throw new Error(`there should be one job, and there are ${items.length}: ${JSON.stringify(items)}`);
  return items[0]!;
}

export function uuidOf(crn: string): string {
  return crn.slice(crn.lastIndexOf(":") + 1);
}
