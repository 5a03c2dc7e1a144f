import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Agent, request } from "undici";

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: { apiVersion: string; kind: string; name: string; uid?: string; controller?: boolean }[];
    finalizers?: string[];
    [field: string]: unknown;
  };
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into every kind
  [field: string]: any;
}

export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly resource: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface DiscoveryList {
  items: {
    metadata?: { name?: string };
    versions: {
      version: string;
      resources?: { resource: string; responseKind: { kind: string }; scope: string; verbs: string[] }[];
    }[];
  }[];
}

const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** The tests' own client, so that they see the cluster with other eyes than the service. Paths are the API's. */
export class KubernetesClient {
  readonly #server: string;
  readonly #agent: Agent;

  private constructor(server: string, agent: Agent) {
    this.#server = server;
    this.#agent = agent;
  }

  /** Connects with the certificates that `up.sh` made in the cluster's folder. */
  static async open(folder: string): Promise<KubernetesClient> {
    const pki = (name: string) => readFile(join(folder, "pki", name));
    const [kubeconfig, ca, cert, key] = await Promise.all([
      readFile(join(folder, "kubeconfig"), "utf8"),
      pki("ca.crt"),
      pki("admin.crt"),
      pki("admin.key"),
    ]);
    const server = /server: "([^"]+)"/.exec(kubeconfig)?.[1];
    if (server === undefined) throw new Error(`${folder}/kubeconfig names no server`);
    return new KubernetesClient(server, new Agent({ connect: { ca, cert, key }, connections: 16 }));
  }

  async request(
    method: string,
    path: string,
    { body, contentType = "application/json", accept = "application/json" }: RequestOptions = {},
  ): Promise<string> {
    const response = await request(this.#server + path, {
      dispatcher: this.#agent,
      method,
      headers: { accept, "content-type": contentType },
      body: typeof body === "string" ? body : body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new KubernetesError(response.statusCode, `${method} ${path}: ${text}`);
    return text;
  }

  async get(path: string): Promise<KubernetesObject> {
    return parse(await this.request("GET", path)) as KubernetesObject;
  }

  /** Undefined when there is no such object. */
  async find(path: string): Promise<KubernetesObject | undefined> {
    return this.get(path).catch((error: unknown) => {
      if (error instanceof KubernetesError && error.status === 404) return undefined;
      throw error;
    });
  }

  /** The objects of a collection with `apiVersion` and `kind`, which lists leave out. A kind that is not served has none. */
  async list(path: string): Promise<KubernetesObject[]> {
    const list = (await this.find(path)) as
      | { apiVersion: string; kind: string; items: KubernetesObject[] | null }
      | undefined;
    const kind = list?.kind.replace(/List$/, "");
    return (list?.items ?? []).map((item) => ({ ...item, apiVersion: list!.apiVersion, kind: kind! }));
  }

  async create(path: string, object: object): Promise<void> {
    await this.request("POST", path, { body: object });
  }

  async patch(path: string, patch: object): Promise<void> {
    await this.request("PATCH", path, { body: patch, contentType: "application/merge-patch+json" });
  }

  /** Deletes an object or a whole collection; nothing to delete is no error. */
  async delete(path: string): Promise<void> {
    await this.request("DELETE", path, { body: { propagationPolicy: "Background" } }).catch((error: unknown) => {
      if (!(error instanceof KubernetesError && (error.status === 404 || error.status === 405))) throw error;
    });
  }

  /** Every object of a collection, and then each change, until the signal is aborted. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const url = `${this.#server}${path}?watch=true`;
    const { body } = await request(url, { dispatcher: this.#agent, signal, bodyTimeout: 0 });
    let rest = "";
    try {
      for await (const chunk of body.setEncoding("utf8") as AsyncIterable<string>) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) yield JSON.parse(line) as WatchEvent;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Every kind that can be listed, once: in its group's preferred version. */
  async resources(): Promise<readonly Resource[]> {
    const found: Resource[] = [];
    for (const root of ["/api", "/apis"]) {
      const { items } = JSON.parse(await this.request("GET", root, { accept: aggregated })) as DiscoveryList;
      for (const group of items) {
        const seen = new Set<string>();
        for (const { version, resources = [] } of group.versions) {
          for (const { resource, responseKind, scope, verbs } of resources) {
            if (seen.has(resource) || !verbs.includes("list")) continue;
            seen.add(resource);
            const apiVersion = group.metadata?.name ? `${group.metadata.name}/${version}` : version;
            found.push({ apiVersion, kind: responseKind.kind, resource, namespaced: scope === "Namespaced", verbs });
          }
        }
      }
    }
    return found;
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubernetesObject;
}

interface RequestOptions {
  /** Or its text. */
  readonly body?: object | string;
  readonly contentType?: string;
  readonly accept?: string;
}

export class KubernetesError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The path of a collection or, with a name, of an object. */
export function apiPath(type: { apiVersion: string; resource: string }, namespace?: string, name?: string): string {
  const root = type.apiVersion.includes("/") ? `/apis/${type.apiVersion}` : `/api/${type.apiVersion}`;
  const scope = namespace ? `/namespaces/${namespace}` : "";
  return `${root}${scope}/${type.resource}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

const exact: Reviver = (_key, value, { source }) =>
  typeof value === "number" && source !== undefined && String(value) !== source ? `number ${source}` : value;

/** A number that a double cannot hold is kept as `number <its text>`, so that a comparison sees its last digit. */
function parse(text: string): unknown {
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
}
