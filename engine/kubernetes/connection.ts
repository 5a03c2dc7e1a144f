import type { RequestOptions } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConfig } from "@kubernetes/client-node";
import { Agent, type Dispatcher } from "undici";
import { asking } from "./asking.ts";
import { DrsError } from "../errors.ts";
import { KubernetesError } from "./kubernetes-error.ts";

/** Where the cluster is and who the service is there: a server's plain URL, or a kubeconfig, or else the pod's account. */
export interface ClusterAddress {
  /** Path of a kubeconfig. Absent: KUBECONFIG, then ~/.kube/config, then the pod's own account. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** The URL of an API server that asks for no credentials: the simulated cluster's. */
  readonly server?: string;
}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly body?: string | Buffer;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
  /** A watch may be silent for minutes. */
  readonly watch?: boolean;
  /** Called whenever the request is about to be sent, after all waiting for a connection: what it throws keeps it back. */
  readonly mayGo?: () => void;
}

/** What an answer holds, as it comes. */
export type Body = Dispatcher.ResponseData["body"];

const maxAttempts = 6;
const firstDelayMs = 200;
/** The API server's own limit for one request is 60 s. */
const answerTimeoutMs = 70_000;
/** The API server ends a watch after 5 to 10 minutes; a connection that is silent for longer is dead. */
const watchTimeoutMs = 660_000;

/**
 * HTTPS to one API server: credentials, connections that stay open, and retries.
 *
 * A request is sent again, up to six times within about ten seconds, when the connection fails or the answer's code is
 * UNAVAILABLE: 429 (for as long as Retry-After says), 503, 504, or etcd's 500. So a POST may be told ALREADY_EXISTS about its own first try. What still
 * fails is UNAVAILABLE. Any other refusal is a KubernetesError at once.
 */
export class Connection {
  readonly #origin: string;
  readonly #prefix: string;
  readonly #agent: Agent;
  /** Has no limit: streams wait for their takers, who would else wait for a connection that a stream holds. */
  readonly #streams: Agent;
  /** For the calls that need the client library itself: a pod's exec. */
  readonly kubeConfig: KubeConfig;

  private constructor(kubeConfig: KubeConfig, url: URL, agent: Agent, streams: Agent) {
    this.kubeConfig = kubeConfig;
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/$/, "");
    this.#agent = agent;
    this.#streams = streams;
  }

  /**
   * Reads the configuration; connects to nothing yet. `inFlight`: how many requests but streams are under way at once.
   * FAILED_PRECONDITION when there is no cluster in the configuration, or one that would be spoken to in clear text.
   */
  static async open(address: ClusterAddress, inFlight: number): Promise<Connection> {
    const kubeConfig = await loadKubeConfig(address);
    const cluster = kubeConfig.getCurrentCluster();
    if (!cluster) {
      const cure = "set its current-context, or --kube-context";
      throw new DrsError("FAILED_PRECONDITION", `${fileOf(address)} names no cluster: ${cure}`);
    }
    if (cluster.server.startsWith("http:") && !cluster.skipTLSVerify) {
      const what = `the cluster ${cluster.name} of ${fileOf(address)} is at ${cluster.server}`;
      throw new DrsError(
        "FAILED_PRECONDITION",
        `${what}, which anybody on the way can read: give it an https:// address`,
      );
    }
    const tls: RequestOptions = {};
    await kubeConfig.applyToHTTPSOptions(tls);
    const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = tls;
    const given = Object.entries({ ca, cert, key, pfx, passphrase, servername, rejectUnauthorized });
    const options: Agent.Options = {
      connect: { timeout: 10_000, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) },
      keepAliveTimeout: 30_000,
      // HTTP/2's frames and windows cost both sides: over HTTP/1.1 a long list takes a quarter less time.
      allowH2: false,
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
    };
    const agent = new Agent({ ...options, connections: inFlight });
    return new Connection(kubeConfig, new URL(cluster.server), agent, new Agent(options));
  }

  /** Where the API server is, without what its address may hold of a user. */
  get server(): string {
    return this.#origin + this.#prefix;
  }

  /** The context of the kubeconfig, or what stands for the pod's account; undefined for a server's plain URL. */
  get context(): string | undefined {
    const context = this.kubeConfig.getCurrentContext();
    return context === nothingFound ? undefined : context;
  }

  /** Sends a request and reads its answer whole. */
  async request(request: ApiRequest): Promise<Buffer> {
    return this.read(request, async (body) => Buffer.from(await body.arrayBuffer()).subarray());
  }

  /** Sends a request and gives its answer's body to read, however slowly: it must be read to its end or destroyed. */
  async stream(request: ApiRequest): Promise<Body> {
    return this.#read(this.#streams, request, async (body) => body);
  }

  /** Sends a request and gives what `take` makes of its answer's body; sends it again when the body breaks off. */
  async read<T>(request: ApiRequest, take: (body: Body) => Promise<T>): Promise<T> {
    return this.#read(this.#agent, request, take);
  }

  async #read<T>(agent: Agent, request: ApiRequest, take: (body: Body) => Promise<T>): Promise<T> {
    const what = `${request.method} ${request.path.split("?", 1)[0]}`;
    for (let attempt = 1; ; attempt++) {
      request.signal?.throwIfAborted();
      let delay = firstDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random());
      let failure: DrsError;
      try {
        const answer = await this.#send(agent, request);
        if (answer.statusCode < 300) return await take(answer.body);
        failure = new KubernetesError(what, answer.statusCode, await answer.body.text());
        if (failure.code !== "UNAVAILABLE") throw failure;
        const retryAfter = Number(answer.headers["retry-after"]);
        if (retryAfter > 0) delay = Math.max(delay, Math.min(retryAfter, 30) * 1000);
      } catch (error) {
        if (error instanceof DrsError) throw error;
        request.signal?.throwIfAborted();
        failure = new DrsError(
          "UNAVAILABLE",
          `${what}: the API server at ${this.#origin} cannot be reached: ${String(error)}`,
          {
            cause: error,
          },
        );
      }
      if (attempt === maxAttempts) throw failure;
      await sleep(delay, undefined, request.signal ? { signal: request.signal } : {});
    }
  }

  async #send(agent: Agent, request: ApiRequest): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> = { accept: request.accept ?? "application/json" };
    if (request.body !== undefined) headers["content-type"] = request.contentType ?? "application/json";
    const credentials: RequestOptions = {};
    await this.kubeConfig.applyToHTTPSOptions(credentials); // a token may have been renewed since
    const authorization = (credentials.headers as Record<string, string> | undefined)?.["Authorization"];
    if (authorization !== undefined) headers["authorization"] = authorization;
    return asking(agent, request.mayGo).request({
      origin: this.#origin,
      path: this.#prefix + request.path,
      method: request.method,
      headers,
      body: request.body ?? null,
      signal: request.signal ?? null,
      reset: false, // else undici closes the connection after each DELETE with a body
      ...(request.watch === true && { bodyTimeout: watchTimeoutMs }),
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#streams.destroy()]);
  }
}

/** The client library takes a second to load, so it is loaded here and not at the program's start. */
async function loadKubeConfig(address: ClusterAddress): Promise<KubeConfig> {
  const { KubeConfig } = await import("@kubernetes/client-node");
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
    throw new DrsError("FAILED_PRECONDITION", `${fileOf(address)} cannot be read: ${String(error)}`, { cause: error });
  }
  if (address.kubeconfig === undefined && config.currentContext === nothingFound) {
    const cure = "give --kubeconfig, set KUBECONFIG, or try --cluster simulated";
    throw new DrsError("FAILED_PRECONDITION", `no cluster was found: ${cure}`);
  }
  if (address.context !== undefined) {
    if (!config.getContextObject(address.context)) {
      const there = config.contexts.map(({ name }) => name).join(", ") || "none";
      const what = `${fileOf(address)} has no context ${address.context}: there are ${there}`;
      throw new DrsError("FAILED_PRECONDITION", what);
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
