import { pods } from "./built-in-kinds.ts";
import type { Connection } from "./connection/connection.ts";
import { type ListOptions, listObjects } from "./connection/object-list.ts";
import { type Sighting, watchObjects } from "./connection/object-watch.ts";
import { type Discovery, discover } from "./discovery.ts";
import { parseExact } from "./exact-json.ts";
import { KubernetesError, hasStatus } from "./kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, resourcePath } from "./kubernetes-object.ts";

/** A kind, as far as a request has to name it. */
export type Type = Pick<ResourceType, "apiVersion" | "resource">;

export interface ContainerLog {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly lines: number;
  /** Of the run before this one. */
  readonly previous: boolean;
}

const metadataListOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/** Reads of a cluster. Errors as `Connection` says. */
export class ClusterReads {
  protected readonly connection: Connection;

  protected constructor(connection: Connection) {
    this.connection = connection;
  }

  /** The API server's `gitVersion`. */
  async version(signal: AbortSignal): Promise<string> {
    const body = await this.connection.request({ method: "GET", path: "/version", signal });
    return (JSON.parse(body.toString()) as { gitVersion: string }).gitVersion;
  }

  async discover(signal: AbortSignal): Promise<Discovery> {
    return discover(this.connection, signal);
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
      const bytes = await this.connection.request({ method: "GET", path, signal });
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
    return listObjects(this.connection, resourcePath(type, namespace), options, signal);
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

  /** The names and owners of a collection's objects, without their contents. Errors as for `listRaw`. */
  async *listMetadata(
    type: Type,
    namespace: string,
    signal: AbortSignal,
    options: ListOptions = {},
  ): AsyncGenerator<KubernetesObject> {
    const path = resourcePath(type, namespace);
    for await (const items of listObjects(this.connection, path, options, signal, metadataListOnly))
      for (const item of items) yield JSON.parse(item.toString()) as KubernetesObject;
  }

  /** Whether the cluster has no object of a kind, in any namespace; false when it does not let the service know. */
  async isKnownEmpty(type: Type, signal: AbortSignal): Promise<boolean> {
    const path = `${resourcePath(type, "")}?limit=1`;
    try {
      const answer = await this.connection.request({ method: "GET", path, signal, accept: metadataListOnly });
      const { items } = JSON.parse(answer.toString()) as { items?: readonly unknown[] | null };
      return (items ?? []).length === 0;
    } catch (error) {
      if (error instanceof KubernetesError) return false;
      throw error;
    }
  }

  /** Every object of a collection and then its changes; see `watchObjects`. */
  watch(
    type: Type,
    namespace: string,
    signal: AbortSignal,
    options: ListOptions = {},
  ): AsyncGenerator<Sighting | "listed" | "relisting"> {
    return watchObjects(this.connection, resourcePath(type, namespace), options, signal);
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
    const log = await this.connection.request({ method: "GET", path, signal });
    return log.toString().trimEnd().split("\n");
  }
}
