import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Dispatcher } from "undici";
import { DrsError } from "../../errors.ts";
import { Agents, type Lane } from "./agents.ts";
import { asking } from "./asking.ts";
import { type ClusterAddress, Credentials } from "./credentials.ts";
import { isConflict, KubernetesError } from "../kubernetes-error.ts";

export type { ClusterAddress };

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
  /**
   * Whether a conflict passes: the request asks for no version of an object, so it is the API server itself that has met another
   * write, of the object or of a quota, and says to try again.
   */
  readonly conflictPasses?: boolean;
  /** Called whenever the request is about to be sent, after all waiting for a connection: what it throws keeps it back. */
  readonly mayGo?: () => void;
}

/** An answer's body, as it comes. */
export type Body = Dispatcher.ResponseData["body"];

const maxAttempts = 6;
const firstDelayMs = 200;
/** The API server ends a watch after 5 to 10 minutes; a connection that is silent for longer is dead. */
const watchTimeoutMs = 660_000;

/**
 * HTTPS to one API server: credentials, reloaded when their files change, connections that stay open, and retries.
 *
 * A request is sent again, up to six times within about ten seconds, when the connection fails or the answer's code is
 * UNAVAILABLE: 429 (for as long as Retry-After says), 503, 504, or etcd's 500; or it is a conflict that passes. So a POST may get ALREADY_EXISTS for its own first try. A request that still
 * fails is UNAVAILABLE. Any other refusal is a KubernetesError at once.
 */
export class Connection {
  readonly #origin: string;
  readonly #prefix: string;
  readonly #credentials: Credentials;
  readonly #agents: Agents;

  private constructor(credentials: Credentials, url: URL, agents: Agents) {
    this.#credentials = credentials;
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/$/, "");
    this.#agents = agents;
  }

  /**
   * Reads the configuration; connects to nothing yet. `inFlight`: how many requests but streams are under way at once.
   * FAILED_PRECONDITION when there is no cluster in the configuration, or one that would be spoken to in clear text.
   */
  static async open(address: ClusterAddress, inFlight: number): Promise<Connection> {
    const credentials = await Credentials.open(address);
    await credentials.current(); // what cannot be used fails the start
    return new Connection(credentials, new URL(credentials.server), new Agents(inFlight));
  }

  /** Where the API server is, without what its address may hold of a user. */
  get server(): string {
    return this.#origin + this.#prefix;
  }

  /** The context of the kubeconfig, or what stands for the pod's account; undefined for a server's plain URL. */
  get context(): string | undefined {
    return this.#credentials.context;
  }

  /** For the calls that need the client library itself: a pod's exec. */
  get kubeConfig(): KubeConfig {
    return this.#credentials.kubeConfig;
  }

  /** Sends a request and reads its answer whole. */
  async request(request: ApiRequest): Promise<Buffer> {
    return this.read(request, async (body) => Buffer.from(await body.arrayBuffer()).subarray());
  }

  /** Sends a request and returns its answer's body to read, however slowly: it must be read completely or destroyed. */
  async stream(request: ApiRequest): Promise<Body> {
    return this.#read("streams", request, async (body) => body);
  }

  /** Sends a request and gives what `take` makes of its answer's body; sends it again when the body breaks off. */
  async read<T>(request: ApiRequest, take: (body: Body) => Promise<T>): Promise<T> {
    return this.#read("requests", request, take);
  }

  async #read<T>(lane: Lane, request: ApiRequest, take: (body: Body) => Promise<T>): Promise<T> {
    const what = `${request.method} ${request.path.split("?", 1)[0]}`;
    for (let attempt = 1; ; attempt++) {
      request.signal?.throwIfAborted();
      let delay = firstDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random());
      let failure: DrsError;
      try {
        const answer = await this.#send(lane, request);
        if (answer.statusCode < 300) return await take(answer.body);
        failure = new KubernetesError(what, answer.statusCode, await answer.body.text());
        if (failure.code !== "UNAVAILABLE" && !(request.conflictPasses === true && isConflict(failure))) throw failure;
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

  async #send(lane: Lane, request: ApiRequest): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> = { accept: request.accept ?? "application/json" };
    if (request.body !== undefined) headers["content-type"] = request.contentType ?? "application/json";
    const credentials = await this.#credentials.current(); // they may have been renewed since
    const authorization = (credentials.headers as Record<string, string> | undefined)?.["Authorization"];
    const agent = this.#agents.get(lane, credentials);
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
    await this.#agents.destroy();
  }
}
