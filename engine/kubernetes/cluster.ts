import type { User } from "../model.ts";
import { pods } from "./built-in-kinds.ts";
import { type ClusterAddress, Connection } from "./connection/connection.ts";
import { type Discovery, discover } from "./discovery.ts";
import { parseExact } from "./exact-json.ts";
import { KubernetesError, hasStatus } from "./kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, resourcePath } from "./kubernetes-object.ts";
import { type ListOptions, listObjects } from "./connection/object-list.ts";
import { type Sighting, watchObjects } from "./connection/object-watch.ts";
import { type PodCommand, execInPod } from "./connection/pod-exec.ts";
import { RawObject } from "./raw-object.ts";
import { type ResourceRight, review, isAuthorized, authenticateToken } from "./connection/auth.ts";

export type { ResourceRight };

type Type = Pick<ResourceType, "apiVersion" | "resource">;

export interface ContainerLog {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly lines: number;
  /** Of the run before this one. */
  readonly previous: boolean;
}

/** Does a write, named by its verb and resource; what stands around it is the caller's. */
export type AroundWrite = <T>(what: string, write: () => Promise<T>) => Promise<T>;
const justDo: AroundWrite = (_what, write) => write();

export interface WriteGuard {
  readonly around: AroundWrite;
  /** Called right before a write is sent, each time that it is: what it throws keeps the write back. */
  readonly mayGo: () => void;
}
const unguarded: WriteGuard = { around: justDo, mayGo: () => {} };

const mergePatch = "application/merge-patch+json";
const jsonPatch = "application/json-patch+json";
const deleteOptions = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" };
/** Answers to patches carry the metadata only. */
const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const metadataListOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/** A Kubernetes cluster, in JSON that is never passed through models. Errors as `Connection` says. */
export class Cluster {
  readonly #connection: Connection;
  readonly #aroundWrite: AroundWrite;
  readonly #mayGo: () => void;
  readonly #isDryRun: boolean;

  private constructor(connection: Connection, { around, mayGo }: WriteGuard, isDryRun: boolean) {
    this.#connection = connection;
    this.#aroundWrite = around;
    this.#mayGo = mayGo;
    this.#isDryRun = isDryRun;
  }

  /**
   * Reads the configuration; asks the cluster nothing yet. `inFlight`: how many requests are under way at once, lists and
   * watches not counted.
   */
  static async open(address: ClusterAddress, inFlight: number, guard: WriteGuard = unguarded): Promise<Cluster> {
    return new Cluster(await Connection.open(address, inFlight), guard, false);
  }

  /**
   * The same cluster for dry runs: the API server checks every write in full, and keeps nothing of it. Of what it would have
   * made it gives the metadata.
   * https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
   */
  get dryRun(): Cluster {
    return new Cluster(this.#connection, unguarded, true);
  }

  /** Which cluster it is, as the configuration has it. */
  get address(): { readonly server: string; readonly context: string | undefined } {
    const { server, context } = this.#connection;
    return { server, context };
  }

  /** The API server's `gitVersion`. */
  async version(signal: AbortSignal): Promise<string> {
    const body = await this.#connection.request({ method: "GET", path: "/version", signal });
    return (JSON.parse(body.toString()) as { gitVersion: string }).gitVersion;
  }

  async discover(signal: AbortSignal): Promise<Discovery> {
    return discover(this.#connection, signal);
  }

  /** Undefined when there is none. Numbers are exact (`parseExact`). */
  async get(type: Type, namespace: string, name: string, signal: AbortSignal): Promise<KubernetesObject | undefined> {
    const bytes = await this.getRaw(type, namespace, name, signal);
    return bytes && (parseExact(bytes.toString()) as KubernetesObject);
  }

  /** The API server's own bytes, but for the newline at their end; undefined when there is no such object. */
  async getRaw(type: Type, namespace: string, name: string, signal: AbortSignal): Promise<Buffer | undefined> {
    try {
      const path = resourcePath(type, namespace, name);
      const bytes = await this.#connection.request({ method: "GET", path, signal });
      return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** A collection as raw bytes, a few objects at a time; see `listObjects`. An empty namespace means all. */
  listRaw(
    type: Type,
    namespace: string,
    signal: AbortSignal,
    options: ListOptions = {},
  ): AsyncGenerator<readonly Buffer[]> {
    return listObjects(this.#connection, resourcePath(type, namespace), options, signal);
  }

  /** A collection's objects, parsed. A kind that is not served is an empty collection. */
  async *list(
    type: Type,
    namespace: string,
    signal: AbortSignal,
    options: ListOptions = {},
  ): AsyncGenerator<KubernetesObject> {
    try {
      for await (const items of this.listRaw(type, namespace, signal, options))
        for (const item of items) yield JSON.parse(item.toString()) as KubernetesObject;
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
    }
  }

  /** What a collection's objects are called and owned by, without what they hold. Errors as for `listRaw`. */
  async *listMetadata(
    type: Type,
    namespace: string,
    signal: AbortSignal,
    options: ListOptions = {},
  ): AsyncGenerator<KubernetesObject> {
    const path = resourcePath(type, namespace);
    for await (const items of listObjects(this.#connection, path, options, signal, metadataListOnly))
      for (const item of items) yield JSON.parse(item.toString()) as KubernetesObject;
  }

  /** Whether the cluster has no object of a kind, in any namespace; false when it does not let the service know. */
  async isKnownEmpty(type: Type, signal: AbortSignal): Promise<boolean> {
    const path = `${resourcePath(type, "")}?limit=1`;
    try {
      const answer = await this.#connection.request({ method: "GET", path, signal, accept: metadataListOnly });
      const { items } = JSON.parse(answer.toString()) as { items?: readonly unknown[] | null };
      return (items ?? []).length === 0;
    } catch (error) {
      if (error instanceof KubernetesError) return false;
      throw error;
    }
  }

  /** Creates an object and gives it as the API server has it, numbers exact. */
  async create(
    type: Type,
    namespace: string,
    object: KubernetesObject | string,
    signal: AbortSignal,
  ): Promise<KubernetesObject> {
    const path = resourcePath(type, namespace);
    const body = text(object);
    return this.#write({ method: "POST", type, path, body, signal, accept: "application/json", conflictPasses: true });
  }

  /** Creates an object unless there is one of its name: what a step that runs again has made before. */
  async createOnce(type: Type, namespace: string, object: KubernetesObject, signal: AbortSignal): Promise<void> {
    try {
      await this.create(type, namespace, object, signal);
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.code !== "ALREADY_EXISTS") throw error;
    }
  }

  /** Replaces an object as of its resourceVersion, and gives it as the API server has it. */
  async replace(
    type: Type,
    namespace: string,
    object: KubernetesObject | RawObject,
    signal: AbortSignal,
  ): Promise<KubernetesObject> {
    const path = resourcePath(type, namespace, object.metadata.name);
    return this.#write({ method: "PUT", type, path, body: text(object), signal, accept: "application/json" });
  }

  /** A JSON merge patch (RFC 7386), or with an array a JSON patch (RFC 6902). Undefined when there is no such object. */
  async patch(
    type: Type,
    namespace: string,
    name: string,
    patch: object,
    signal: AbortSignal,
    subresource?: "status",
  ): Promise<KubernetesObject | undefined> {
    const path = resourcePath(type, namespace, name, subresource);
    const contentType = Array.isArray(patch) ? jsonPatch : mergePatch;
    try {
      const body = JSON.stringify(patch);
      const conflictPasses = !asksForVersion(patch);
      return await this.#write({ method: "PATCH", type, path, body, contentType, signal, conflictPasses });
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** Asks for an object's deletion; one that is not there is no error. With a uid, only that very object. */
  async delete(
    type: Type,
    namespace: string,
    name: string,
    signal: AbortSignal,
    { uid, propagation = "Background" }: { uid?: string; propagation?: "Background" | "Orphan" } = {},
  ): Promise<void> {
    const body = this.#deletion({
      propagationPolicy: propagation,
      ...(uid !== undefined && { preconditions: { uid } }),
    });
    try {
      const path = resourcePath(type, namespace, name);
      await this.#aroundWrite(`DELETE ${type.resource}`, () =>
        this.#connection.request({
          method: "DELETE",
          path,
          body,
          signal,
          mayGo: this.#mayGo,
          conflictPasses: uid === undefined,
        }),
      );
    } catch (error) {
      const replaced = uid !== undefined && hasStatus(error, 409);
      if (!hasStatus(error, 404) && !replaced) throw error;
    }
  }

  /** Every object of a collection and then its changes; see `watchObjects`. */
  watch(
    type: Type,
    namespace: string,
    signal: AbortSignal,
    options: ListOptions = {},
  ): AsyncGenerator<Sighting | "listed" | "relisting"> {
    return watchObjects(this.#connection, resourcePath(type, namespace), options, signal);
  }

  /** Whether the service's own account may. */
  async isAllowed(question: ResourceRight, signal: AbortSignal): Promise<boolean> {
    return isAuthorized(this.#connection, question, undefined, signal);
  }

  /** Whether a user of the cluster may; see `isAuthorized`. */
  async isAllowedTo(user: User, question: ResourceRight, signal: AbortSignal): Promise<boolean> {
    return isAuthorized(this.#connection, question, user, signal);
  }

  /** Whose token it is; see `authenticateToken`. */
  async authenticateToken(token: string, audiences: readonly string[], signal: AbortSignal): Promise<User | undefined> {
    return authenticateToken(this.#connection, token, audiences, signal);
  }

  /**
   * The namespace of the service account that the service uses; undefined when it is another kind of user, or the cluster
   * does not say. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review
   */
  async ownNamespace(signal: AbortSignal): Promise<string | undefined> {
    try {
      const { status } = await review(this.#connection, "authentication", "SelfSubjectReview", undefined, signal);
      const { username } = (status?.["userInfo"] ?? {}) as Partial<User>;
      return /^system:serviceaccount:([^:]+):/.exec(username ?? "")?.[1];
    } catch (error) {
      if (hasStatus(error, 403, 404)) return undefined;
      throw error;
    }
  }

  /**
   * The last lines that a container has written, at most so many and 8 kB; of its run before this one with `previous`.
   * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
   */
  async containerLog(
    { namespace, pod, container, lines, previous }: ContainerLog,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const query = new URLSearchParams({
      container,
      tailLines: String(lines),
      limitBytes: "8192",
      previous: String(previous),
    });
    const path = `${resourcePath(pods, namespace, pod, "log")}?${query.toString()}`;
    const log = await this.#connection.request({ method: "GET", path, signal });
    return log.toString().trimEnd().split("\n");
  }

  /** Runs a command in a pod's container, which may change anything in it; see `execInPod`. */
  async exec(command: PodCommand, signal: AbortSignal): Promise<string> {
    this.#mayGo();
    return execInPod(this.#connection.kubeConfig, command, signal);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #write(request: {
    method: "POST" | "PUT" | "PATCH";
    type: Type;
    path: string;
    body: string;
    contentType?: string;
    signal: AbortSignal;
    accept?: string;
    conflictPasses?: boolean;
  }): Promise<KubernetesObject> {
    const { method, type } = request;
    const accept = (!this.#isDryRun && request.accept) || metadataOnly;
    const path = `${request.path}${this.#isDryRun ? "?dryRun=All" : ""}`;
    const answer = await this.#aroundWrite(`${method} ${type.resource}`, () =>
      this.#connection.request({ ...request, path, accept, mayGo: this.#mayGo }),
    );
    return parseExact(answer.toString()) as KubernetesObject;
  }

  #deletion(options: object): string {
    const dryRun = this.#isDryRun && { dryRun: ["All"] }; // is not read in the query where there is a body
    return JSON.stringify({ ...deleteOptions, ...options, ...dryRun });
  }
}

/** Whether a patch may hold for one version of the object only. */
function asksForVersion(patch: { readonly metadata?: { readonly resourceVersion?: unknown } }): boolean {
  return Array.isArray(patch) || patch.metadata?.resourceVersion !== undefined;
}

function text(object: KubernetesObject | RawObject | string): string {
  if (object instanceof RawObject) return object.bytes.toString();
  return typeof object === "string" ? object : JSON.stringify(object);
}
