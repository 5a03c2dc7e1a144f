import type { RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { DrsError } from "../../errors.ts";
import { loadClientLibrary } from "./client-library.ts";

/** Where the cluster is and who the service is there: a server's plain URL, or a kubeconfig, or else the pod's account. */
export interface ClusterAddress {
  /** Path of a kubeconfig. Absent: KUBECONFIG, then ~/.kube/config, then the pod's own account. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** The URL of an API server that asks for no credentials: the simulated cluster's. */
  readonly server?: string;
}

/** How often the kubeconfig is looked at, while there are requests. */
const lookMs = 10_000;

/**
 * The service's credentials at its cluster. Certificates, keys and tokens in files, of credential programs, and in the kubeconfig
 * itself are reloaded when they change; the cluster is the one found at the start, whatever the kubeconfig says later.
 */
export class Credentials {
  readonly server: string;
  readonly #address: ClusterAddress;
  #kubeConfig: KubeConfig;
  #lookedAt = performance.now();

  private constructor(address: ClusterAddress, kubeConfig: KubeConfig, server: string) {
    this.#address = address;
    this.#kubeConfig = kubeConfig;
    this.server = server;
  }

  /** FAILED_PRECONDITION when there is no cluster in the configuration, or one that would be spoken to in clear text. */
  static async open(address: ClusterAddress): Promise<Credentials> {
    const kubeConfig = await loadKubeConfig(address);
    const cluster = kubeConfig.getCurrentCluster();
    if (!cluster) {
      const cure = "set its current-context, or --kube-context";
      throw new DrsError("FAILED_PRECONDITION", `${fileOf(address)} names no cluster: ${cure}`, { id: "DRS-S003" });
    }
    if (cluster.server.startsWith("http:") && !cluster.skipTLSVerify) {
      const what = `the cluster ${cluster.name} of ${fileOf(address)} is at ${cluster.server}`;
      throw new DrsError(
        "FAILED_PRECONDITION",
        `${what}, where anyone on the network can read along: give it an https:// address`,
        { id: "DRS-S004" },
      );
    }
    return new Credentials(address, kubeConfig, cluster.server);
  }

  get kubeConfig(): KubeConfig {
    return this.#kubeConfig;
  }

  /** The context of the kubeconfig, or what stands for the pod's account; undefined for a server's plain URL. */
  get context(): string | undefined {
    const context = this.#kubeConfig.getCurrentContext();
    return context === nothingFound ? undefined : context;
  }

  /** The current credentials of a request: certificates, and headers. */
  async current(): Promise<RequestOptions> {
    if (performance.now() - this.#lookedAt >= lookMs) await this.#look();
    const options: RequestOptions = {};
    await this.#kubeConfig.applyToHTTPSOptions(options);
    return options;
  }

  async #look(): Promise<void> {
    this.#lookedAt = performance.now();
    const found = await loadKubeConfig(this.#address).catch(() => undefined); // being written, perhaps
    if (found?.getCurrentCluster()?.server !== this.server || whoIs(found) === whoIs(this.#kubeConfig)) return;
    this.#kubeConfig = found;
  }
}

function whoIs(kubeConfig: KubeConfig): string {
  return JSON.stringify([kubeConfig.getCurrentUser(), kubeConfig.getCurrentCluster()]);
}

/** The client library takes a second to load, so it is loaded here and not at the program's start. */
async function loadKubeConfig(address: ClusterAddress): Promise<KubeConfig> {
  const { KubeConfig } = await loadClientLibrary();
  const config = new KubeConfig();
  if (address.server !== undefined) {
    config.loadFromClusterAndUser(
      { name: "server", server: address.server, skipTLSVerify: address.server.startsWith("http:") },
      { name: "nobody" },
    );
    return config;
  }
  try {
    if (address.kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(address.kubeconfig);
  } catch (error) {
    throw new DrsError("FAILED_PRECONDITION", `${fileOf(address)} cannot be read: ${String(error)}`, {
      id: "DRS-S003",
      cause: error,
    });
  }
  if (address.kubeconfig === undefined && config.currentContext === nothingFound) {
    const cure = "give --kubeconfig, set KUBECONFIG, or try --cluster simulated";
    throw new DrsError("FAILED_PRECONDITION", `no cluster was found: ${cure}`, { id: "DRS-S003" });
  }
  if (address.context !== undefined) {
    if (!config.getContextObject(address.context)) {
      const there = config.contexts.map(({ name }) => name).join(", ") || "none";
      const what = `${fileOf(address)} has no context ${address.context}: there are ${there}`;
      throw new DrsError("FAILED_PRECONDITION", what, { id: "DRS-S003" });
    }
    config.setCurrentContext(address.context);
  }
  return config;
}

/** The context that the client library makes up when it finds neither a kubeconfig nor a pod's account. */
const nothingFound = "loaded-context";

/** The kubeconfig as a message names it. */
function fileOf({ kubeconfig = "of KUBECONFIG or ~/.kube/config" }: ClusterAddress): string {
  return `the kubeconfig ${kubeconfig}`;
}
