import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { snapshotHandlesOf } from "../support/archives.ts";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { apiPath, type KubernetesObject } from "../support/kubernetes-client.ts";
import { startService, type TestService } from "../support/service.ts";
import { sharedCluster } from "../support/shared-cluster.ts";

/** How a backup or restore ended. */
export interface Outcome {
  readonly crn: string;
  readonly state: string;
  /** `namespace: text`, or the text alone. */
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
}

/**
 * A control plane of a few objects, in a namespace of its own, with a service that guards just this one.
 *
 * Kinds are written `v1/secrets`, `apps/v1/deployments`. Namespaced objects of the manifests name no namespace.
 */
export class SmallControlPlane {
  readonly namespace: string;
  readonly cluster: TestCluster;
  readonly service: TestService;
  /** What manifests have made, as kubectl names it. */
  readonly #made = new Set<string>();
  /** The latest backup that was made with `backUp`. */
  backupCrn = "";

  constructor(namespace: string, cluster: TestCluster, service: TestService) {
    this.namespace = namespace;
    this.cluster = cluster;
    this.service = service;
  }

  /** Runs kubectl in the namespace. */
  kubectl(...args: string[]): Promise<string> {
    return this.cluster.kubectl("--namespace", this.namespace, ...args);
  }

  /** Creates the objects of some YAML documents. */
  async create(manifests: string): Promise<void> {
    const file = join(this.cluster.folder, `${this.namespace}.yaml`);
    await writeFile(file, manifests);
    const names = await this.kubectl("create", "--output=name", "-f", file);
    for (const name of names.trim().split("\n")) this.#made.add(name);
  }

  /** The path of an object in the namespace, or of all of a kind. */
  path(kind: string, name?: string): string {
    return apiPath(typeOf(kind), this.namespace, name);
  }

  get(kind: string, name: string): Promise<KubernetesObject> {
    return this.cluster.kubernetes.get(this.path(kind, name));
  }

  find(kind: string, name: string): Promise<KubernetesObject | undefined> {
    return this.cluster.kubernetes.find(this.path(kind, name));
  }

  list(kind: string): Promise<KubernetesObject[]> {
    return this.cluster.kubernetes.list(this.path(kind));
  }

  patch(kind: string, name: string, patch: object): Promise<void> {
    return this.cluster.kubernetes.patch(this.path(kind, name), patch);
  }

  /** Waits until an object of the namespace is as wished, and gives it. */
  until(kind: string, name: string, isSo: (object: KubernetesObject) => boolean): Promise<KubernetesObject> {
    return eventually(
      `${kind} ${name} is as wished`,
      async () => {
        const object = await this.find(kind, name);
        return object !== undefined && isSo(object) && object;
      },
      { timeout: 30_000, interval: 50, look: async () => JSON.stringify(await this.find(kind, name), null, 2) },
    );
  }

  /** Backs it up; `restore` takes the latest backup. */
  async backUp({ state = "COMPLETED" } = {}): Promise<Outcome> {
    const { backupCrn } = await this.service.api("createBackup", { itemName: this.namespace });
    this.backupCrn = backupCrn;
    return this.#outcome(backupCrn, state);
  }

  async restore({ state = "COMPLETED" } = {}): Promise<Outcome> {
    const { restoreCrn } = await this.service.api("restoreBackup", { backupCrn: this.backupCrn });
    return this.#outcome(restoreCrn, state);
  }

  /** What the storage system calls the latest backup's snapshots. */
  snapshotHandles(): Promise<readonly string[]> {
    return snapshotHandlesOf(this.service.data, this.backupCrn);
  }

  /** The job's log so far. */
  async log({ crn }: Pick<Outcome, "crn">): Promise<string> {
    return (await this.service.api("getLogs", { crn })).logs;
  }

  /** Ends the service and removes everything, cluster-scoped objects of the manifests too. */
  async remove(): Promise<void> {
    const { kubernetes, kubectl } = this.cluster;
    await this.service.stop();
    const slow = "deployments,statefulsets,daemonsets,replicasets,cronjobs,jobs,pods,volumesnapshots,pvc";
    const made = await this.#clusterScoped();
    if (made.length > 0) await kubectl("delete", "--ignore-not-found", "--wait=false", ...made);
    await this.kubectl("delete", "--all", "--now", "--wait=false", slow);
    await this.kubectl("delete", "--ignore-not-found", "--wait=false", "namespace", this.namespace);
    await eventually(
      `namespace ${this.namespace} is gone`,
      async () => (await kubernetes.find(apiPath(typeOf("v1/namespaces"), undefined, this.namespace))) === undefined,
      { look: () => kubectl("get", "namespace", this.namespace, "--output=yaml") },
    );
    for (const volume of await kubernetes.list(apiPath(typeOf("v1/persistentvolumes"))))
      if (volume["spec"].claimRef?.namespace === this.namespace) await kubernetes.delete(globalPath(volume));
    for (const content of await kubernetes.list(apiPath(typeOf("snapshot.storage.k8s.io/v1/volumesnapshotcontents"))))
      if (content["spec"].volumeSnapshotRef.namespace === this.namespace) await kubernetes.delete(globalPath(content));
  }

  /** Of what manifests have made, that which does not go with the namespace. */
  async #clusterScoped(): Promise<readonly string[]> {
    const kinds = (await this.cluster.kubernetes.resources())
      .filter(({ namespaced }) => !namespaced)
      .map(({ apiVersion, kind }) => [kind.toLowerCase(), ...apiVersion.split("/").slice(0, -1)].join("."));
    return [...this.#made].filter((name) => kinds.includes(name.slice(0, name.indexOf("/"))));
  }

  async #outcome(crn: string, state: string): Promise<Outcome> {
    const { warnings, errors } = await this.service.waitForJob(crn, { state, timeout: 60_000 });
    return { crn, state, warnings: texts(warnings), errors: texts(errors) };
  }
}

/**
 * Creates a namespace and, in it, the objects of some YAML documents, and starts a service for it with short time limits
 * of waits. The name must be new in the test run. The cluster is the shared one unless another is given.
 */
export async function aControlPlane(
  namespace: string,
  manifests = "",
  { flags = [], cluster: ownCluster }: { flags?: readonly string[]; cluster?: TestCluster } = {},
): Promise<SmallControlPlane> {
  const cluster = ownCluster ?? (await sharedCluster());
  const own = [`--namespace=${namespace}`, `--vault-namespace=${namespace}-vault`, "--finalizer-timeout=5s"];
  const [service] = await Promise.all([
    startService({ cluster, flags: [...own, ...flags] }),
    cluster.kubectl("create", "namespace", namespace),
  ]);
  const plane = new SmallControlPlane(namespace, cluster, service);
  await plane.until("v1/serviceaccounts", "default", () => true);
  await plane.until("v1/configmaps", "kube-root-ca.crt", () => true);
  if (manifests !== "") await plane.create(manifests);
  return plane;
}

/** The path of a cluster-scoped object, written `v1/persistentvolumes`. */
export function clusterPath(kind: string, name?: string): string {
  return apiPath(typeOf(kind), undefined, name);
}

function globalPath({ apiVersion, kind, metadata }: KubernetesObject): string {
  return clusterPath(`${apiVersion}/${kind.toLowerCase()}s`, metadata.name);
}

function typeOf(kind: string): { apiVersion: string; resource: string } {
  const slash = kind.lastIndexOf("/");
  return { apiVersion: kind.slice(0, slash), resource: kind.slice(slash + 1) };
}

function texts(messages: readonly unknown[]): readonly string[] {
  return (messages as readonly { namespace: string; text: string }[]).map(({ namespace, text }) =>
    namespace === "" ? text : `${namespace}: ${text}`,
  );
}
