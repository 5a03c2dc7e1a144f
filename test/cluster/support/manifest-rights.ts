import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "./cluster.ts";
import type { KubernetesObject } from "./kubernetes-client.ts";

const manifest = join(import.meta.dirname, "../../../deploy/kubernetes.yaml");
const apply = ["apply", "--server-side"];
const forCopies: readonly string[] = ["data-recovery-service-copies", "data-recovery-service-copy-live"];
const rightsKinds = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** The part of `deploy/kubernetes.yaml` that gives the service its rights, as it is. */
export class ManifestRights {
  /** The service account, as the API server calls it. */
  readonly user = "system:serviceaccount:cdp-drs:data-recovery-service";
  readonly #cluster: TestCluster;
  readonly #objects: readonly KubernetesObject[];

  private constructor(cluster: TestCluster, objects: readonly KubernetesObject[]) {
    this.#cluster = cluster;
    this.#objects = objects;
  }

  static async read(cluster: TestCluster): Promise<ManifestRights> {
    const documents = await cluster.kubectl("create", "--dry-run=client", "--output=json", "-f", manifest);
    const items = JSON.parse(`[${documents.replaceAll(/^\}\n\{/gm, "},{")}]`) as readonly KubernetesObject[];
    return new ManifestRights(
      cluster,
      items.filter(({ kind }) => rightsKinds.includes(kind)),
    );
  }

  /** Applies it, without what only copies need: the tests' services have them off. The namespaces of the control plane have to exist. */
  async apply(): Promise<void> {
    await this.#kubectlOn(
      apply,
      this.#objects.filter(({ metadata }) => !forCopies.includes(metadata.name)),
    );
  }

  async remove(): Promise<void> {
    await this.#kubectlOn(["delete", "--ignore-not-found"], this.#objects);
  }

  async token(): Promise<string> {
    const account = ["--namespace", "cdp-drs", "create", "token", "data-recovery-service", "--duration=2h"];
    return (await this.#cluster.kubectl(...account)).trim();
  }

  /** The rules of a cluster role, or of a role in a namespace. */
  rulesOf(role: string, namespace?: string): readonly Rule[] {
    if (namespace === undefined) return this.#clusterRole(role)["rules"] as readonly Rule[];
    const isIt = ({ kind, metadata }: KubernetesObject) =>
      kind === "Role" && metadata.name === role && metadata["namespace"] === namespace;
    return (this.#objects.find(isIt)?.["rules"] ?? []) as readonly Rule[];
  }

  /** Gives a cluster role these rules instead of its own. */
  async setRules(clusterRole: string, rules: readonly Rule[]): Promise<void> {
    await this.#kubectlOn(apply, [{ ...this.#clusterRole(clusterRole), rules }]);
  }

  #clusterRole(name: string): KubernetesObject {
    const found = this.#objects.find(({ kind, metadata }) => kind === "ClusterRole" && metadata.name === name);
    if (!found) throw new Error(`${manifest} has no cluster role ${name}`);
    return found;
  }

  async #kubectlOn(command: readonly string[], items: readonly KubernetesObject[]): Promise<void> {
    const file = join(this.#cluster.folder, "rights.json");
    await writeFile(file, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    await this.#cluster.kubectl(...command, "-f", file);
  }
}
