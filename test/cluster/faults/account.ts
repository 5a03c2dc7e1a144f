import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "../support/cluster.ts";

/** A service account that a service under test runs as. */
export class Account {
  readonly name: string;
  readonly #cluster: TestCluster;

  private constructor(name: string, cluster: TestCluster) {
    this.name = name;
    this.#cluster = cluster;
  }

  /** Makes it, with all rights. */
  static async create(name: string, cluster: TestCluster): Promise<Account> {
    await cluster.kubectl("create", "serviceaccount", name);
    const account = new Account(name, cluster);
    await account.bind("cluster-admin");
    return account;
  }

  /** How the API server calls it. */
  get user(): string {
    return `system:serviceaccount:default:${this.name}`;
  }

  /** What it may do from now on: what a cluster role allows. */
  async bind(role: string): Promise<void> {
    const { kubectl } = this.#cluster;
    await kubectl("delete", "--ignore-not-found", "clusterrolebinding", this.name);
    const subject = `--serviceaccount=default:${this.name}`;
    await kubectl("create", "clusterrolebinding", this.name, `--clusterrole=${role}`, subject);
  }

  /** A new token of it, for the API server or another audience. */
  async token(audience?: string): Promise<string> {
    const options = audience === undefined ? [] : [`--audience=${audience}`];
    return (await this.#cluster.kubectl("create", "token", this.name, ...options)).trim();
  }

  /** A kubeconfig file with its token. */
  async kubeconfig(): Promise<string> {
    const token = await this.token();
    const view: object = JSON.parse(await this.#cluster.kubectl("config", "view", "--output=json"));
    const file = join(this.#cluster.folder, `${this.name}.kubeconfig`);
    await writeFile(file, JSON.stringify({ ...view, users: [{ name: "admin", user: { token } }] }), { mode: 0o600 });
    return file;
  }

  async delete(): Promise<void> {
    await this.#cluster.kubectl("delete", "clusterrolebinding", this.name);
    await this.#cluster.kubectl("delete", "serviceaccount", this.name);
  }
}
