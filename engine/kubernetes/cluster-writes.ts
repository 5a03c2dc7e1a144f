import { ClusterReads, type Type } from "./cluster-reads.ts";
import type { Connection } from "./connection/connection.ts";
import { parseExact } from "./exact-json.ts";
import { KubernetesError, hasStatus } from "./kubernetes-error.ts";
import { type KubernetesObject, resourcePath } from "./kubernetes-object.ts";
import { RawObject } from "./raw-object.ts";

/** Does a write, named by its verb and resource; what stands around it is the caller's. */
export type AroundWrite = <T>(what: string, write: () => Promise<T>) => Promise<T>;
const justDo: AroundWrite = (_what, write) => write();

export interface WriteGuard {
  readonly around: AroundWrite;
  /** Called right before a write is sent, each time that it is: what it throws keeps the write back. */
  readonly mayGo: () => void;
}
/** Lets every write go. */
export const unguarded: WriteGuard = { around: justDo, mayGo: () => {} };

const mergePatch = "application/merge-patch+json";
const jsonPatch = "application/json-patch+json";
const deleteOptions = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" };
/** Answers to patches carry the metadata only. */
const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/** Reads of a cluster and writes to it, or, in a dry run, checks as if it were written. Errors as `Connection` says. */
export class ClusterWrites extends ClusterReads {
  protected readonly guard: WriteGuard;
  readonly #isDryRun: boolean;

  protected constructor(connection: Connection, guard: WriteGuard, isDryRun: boolean) {
    super(connection);
    this.guard = guard;
    this.#isDryRun = isDryRun;
  }

  protected static dryRunOn(connection: Connection): ClusterWrites {
    return new ClusterWrites(connection, unguarded, true);
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
      const path = this.#inMode(resourcePath(type, namespace, name));
      await this.guard.around(`DELETE ${type.resource}`, () =>
        this.connection.request({
          method: "DELETE",
          path,
          body,
          signal,
          mayGo: this.guard.mayGo,
          conflictPasses: uid === undefined,
        }),
      );
    } catch (error) {
      const replaced = uid !== undefined && hasStatus(error, 409);
      if (!hasStatus(error, 404) && !replaced) throw error;
    }
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
    const path = this.#inMode(request.path);
    const answer = await this.guard.around(`${method} ${type.resource}`, () =>
      this.connection.request({ ...request, path, accept, mayGo: this.guard.mayGo }),
    );
    return parseExact(answer.toString()) as KubernetesObject;
  }

  #inMode(path: string): string {
    return this.#isDryRun ? `${path}?dryRun=All` : path;
  }

  #deletion(options: object): string {
    // Is not read in the query where there is a body; there it tells those who read the API server's audit log.
    const dryRun = this.#isDryRun && { dryRun: ["All"] };
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
