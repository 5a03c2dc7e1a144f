/** An object as the API server gives it. Numbers are distinguished by all their digits: see `readJson`. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly {
      readonly kind: string;
      readonly uid: string;
      readonly controller?: boolean;
    }[];
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly verbs: readonly string[];
}

/** Plain requests to a Kubernetes API server that asks for no credentials: what the demo does beside the service. */
export class KubernetesClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** The objects of every kind that can be listed, in all namespaces and in none. */
  async listAll(): Promise<readonly KubernetesObject[]> {
    const groups = (await this.request("GET", "/apis")) as { groups: { preferredVersion: { groupVersion: string } }[] };
    const roots = ["/api/v1", ...groups.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
    return (await Promise.all(roots.map((root) => this.#listGroup(root)))).flat();
  }

  async request(method: string, path: string, body?: unknown): Promise<unknown> {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const response = await fetch(this.#url + path, {
      method,
      headers: { "content-type": type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return readJson(text);
  }

  async #listGroup(root: string): Promise<readonly KubernetesObject[]> {
    const { resources } = (await this.request("GET", root)) as { resources: readonly ApiResource[] };
    const listable = resources.filter(({ name, verbs }) => verbs.includes("list") && !name.includes("/"));
    const lists = listable.map(async ({ name, kind }) => {
      const list = (await this.request("GET", `${root}/${name}`)) as { apiVersion: string; items: KubernetesObject[] };
      return list.items.map((item) => ({ ...item, apiVersion: list.apiVersion, kind }));
    });
    return (await Promise.all(lists)).flat();
  }
}

/** What the language's type library does not know yet: a reviver gets a value's own text. */
const parse = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** Parses JSON; a number that a double would change becomes a text with all its digits. */
function readJson(text: string): unknown {
  return parse(text, (_key, value, { source }) =>
    typeof value === "number" && String(value) !== source ? `number ${source}` : value,
  );
}
