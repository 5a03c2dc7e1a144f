import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestorePlan } from "../../../engine/model.ts";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { apiPath, type KubernetesObject } from "../support/kubernetes-client.ts";
import { sharedCluster } from "../support/shared-cluster.ts";
import { EngineService } from "../worlds/service.ts";

/** A control plane of two namespaces, with an engine in this process: for what the API does not offer. */
export class EnginePlane {
  readonly main: string;
  readonly vault: string;
  readonly cluster: TestCluster;
  readonly service: EngineService;

  private constructor(main: string, cluster: TestCluster, service: EngineService) {
    this.main = main;
    this.vault = `${main}-vault`;
    this.cluster = cluster;
    this.service = service;
  }

  /** Makes the two namespaces; the name must be new in the test run. */
  static async open(main: string): Promise<EnginePlane> {
    const cluster = await sharedCluster();
    const plane = new EnginePlane(main, cluster, await EngineService.start(cluster, main));
    for (const name of [plane.main, plane.vault]) await cluster.kubectl("create", "namespace", name);
    return plane;
  }

  async close(...furtherNamespaces: readonly string[]): Promise<void> {
    await this.service.close();
    for (const name of [this.main, this.vault, ...furtherNamespaces])
      await this.cluster.kubectl("delete", "--wait=false", "--ignore-not-found", "namespace", name);
  }

  async create(namespace: string, ...manifests: readonly string[]): Promise<void> {
    const file = join(this.cluster.folder, `${namespace}.yaml`);
    await writeFile(file, manifests.join("\n---\n"));
    await this.cluster.kubectl("--namespace", namespace, "create", "-f", file);
  }

  get(namespace: string, apiVersion: string, resource: string, name: string): Promise<KubernetesObject> {
    return this.cluster.kubernetes.get(apiPath({ apiVersion, resource }, namespace, name));
  }

  /** The names of a kind's objects in a namespace. */
  async names(namespace: string, apiVersion: string, resource: string): Promise<readonly string[]> {
    const objects = await this.cluster.kubernetes.list(apiPath({ apiVersion, resource }, namespace));
    return objects.map(({ metadata }) => metadata.name);
  }

  patch(namespace: string, apiVersion: string, resource: string, name: string, change: object): Promise<void> {
    return this.cluster.kubernetes.patch(apiPath({ apiVersion, resource }, namespace, name), change);
  }

  async isUp(namespace: string, resource: string, name: string): Promise<void> {
    await eventually(`${resource} ${name} of ${namespace} is up`, async () => {
      const { spec, status, metadata } = await this.get(namespace, "apps/v1", resource, name);
      const isSeen = status?.observedGeneration === metadata["generation"];
      return isSeen && status?.readyReplicas === spec.replicas && status?.updatedReplicas === spec.replicas;
    });
  }

  async backUp(): Promise<string> {
    const crn = await this.service.backUp();
    await this.outcome(crn);
    return crn;
  }

  async restore(backupCrn: string, plan: Partial<RestorePlan>) {
    const crn = await this.service.restore(backupCrn, plan);
    return { crn, ...(await this.outcome(crn)) };
  }

  /** How a job has ended, with its warnings and errors. */
  outcome(crn: string): Promise<{ readonly state: string; readonly messages: readonly string[] }> {
    return eventually(
      `${crn} is over`,
      async () => {
        const { state, messages } = await this.service.describe(crn);
        const texts = messages.map(({ text }) => text);
        return !["NOT_STARTED", "IN_PROGRESS"].includes(state) && { state, messages: texts };
      },
      { timeout: 120_000, look: () => this.service.log(crn) },
    );
  }

  /** Kind, name, uid and version of each object of a namespace, except the cluster's reports about its pods, which come in their own time. */
  async versionsOf(namespace: string): Promise<readonly string[]> {
    const kinds = await this.cluster.kubernetes.resources();
    const lists = await Promise.all(
      kinds
        .filter((kind) => kind.namespaced && !ofPods.has(kind.kind))
        .map((kind) => this.cluster.kubernetes.list(apiPath(kind, namespace))),
    );
    return lists.flat().map(versionOf).sort();
  }

  /** The objects of a namespace that are not as they were. */
  async touched(namespace: string, before: readonly string[]): Promise<readonly string[]> {
    const changed = new Set(before).symmetricDifference(new Set(await this.versionsOf(namespace)));
    return [...new Set([...changed].map((line) => line.split(" ").slice(0, 2).join(" ")))].sort();
  }

  /** The cluster-scoped objects, but for those that nodes and APIs keep up to date. */
  async clusterScoped(): Promise<readonly KubernetesObject[]> {
    const kinds = await this.cluster.kubernetes.resources();
    const lists = await Promise.all(
      kinds.filter((kind) => !kind.namespaced).map((kind) => this.cluster.kubernetes.list(apiPath(kind))),
    );
    return lists.flat().filter(({ kind }) => !["Node", "ComponentStatus", "APIService"].includes(kind));
  }
}

const ofPods = new Set(["Event", "Endpoints", "EndpointSlice"]);

export function versionOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name} ${String(metadata["uid"])} ${String(metadata["resourceVersion"])}`;
}
