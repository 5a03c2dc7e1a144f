import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { DrsError } from "../errors.ts";
import { type ApiServer, readAggregation } from "./aggregation.ts";
import type { Connection } from "./connection/connection.ts";
import { hasStatus } from "./kubernetes-error.ts";
import { type ResourceType, resourceName } from "./kubernetes-object.ts";

export interface DiscoveredResource extends ResourceType {
  readonly verbs: readonly string[];
  /** Whether status is a subresource of its own. */
  readonly hasStatus: boolean;
}

/** The API server's resources at one moment. */
export interface Discovery {
  /**
   * One version of each resource: of a custom one that in which its objects are stored, as no other can be read or written
   * while its conversion webhook is down; else the group's preferred one where it has the resource.
   */
  readonly resources: readonly DiscoveredResource[];
  /** Groups and versions that do not answer, as an aggregated API does not when its server is down. */
  readonly unavailable: readonly string[];
  /** The service that serves an aggregated group and version; undefined for what the API server serves itself. */
  readonly serverOf: (apiVersion: string) => ApiServer | undefined;
  /** Every apiVersion that serves the resource (`deployments.apps`), that of `resources` first. */
  versionsOf(name: string): readonly string[];
  /** The resource in one of these versions. */
  inVersion(name: string, apiVersion: string): DiscoveredResource | undefined;
}

interface ApiResourceList {
  resources?: { name: string; kind: string; namespaced: boolean; verbs?: string[] }[];
}
interface Definition {
  spec: { group: string; versions: { name: string; storage: boolean }[] };
}
interface ApiGroupList {
  groups?: { versions: { groupVersion: string }[]; preferredVersion?: { groupVersion: string } }[];
}

type Get = (path: string, signal?: AbortSignal) => Promise<unknown>;

/**
 * Asks the API server for its kinds, by the documents that every conformant cluster serves, once it is ready. UNAVAILABLE
 * when it does not get ready in time.
 * https://kubernetes.io/docs/concepts/overview/kubernetes-api/#unaggregated-discovery
 */
export async function discover(connection: Connection, signal: AbortSignal): Promise<Discovery> {
  const get: Get = async (path, until = signal) =>
    JSON.parse((await connection.request({ method: "GET", path, signal: until })).toString()) as unknown;
  for (;;) {
    await ready(connection, signal);
    const list = (await get("/apis")) as ApiGroupList;
    const discovery = await readGroups(get, list, signal);
    // It may have been started again since it was ready: then it knows more groups now.
    await ready(connection, signal);
    if (isDeepStrictEqual(await get("/apis"), list)) return discovery;
  }
}

async function readGroups(get: Get, { groups = [] }: ApiGroupList, signal: AbortSignal): Promise<Discovery> {
  const groupVersions = groups.map(({ versions, preferredVersion }) => {
    const all = versions.map((version) => version.groupVersion);
    const preferred = preferredVersion?.groupVersion;
    return preferred === undefined ? all : [preferred, ...all.filter((version) => version !== preferred)];
  });
  const served = [["v1"], ...groupVersions].flat();
  const { servers, down, mayBeAggregated } = await readAggregation(get);
  const answers = new Map<string, ApiResourceList>();
  const ask = async (apiVersion: string, until?: AbortSignal) => {
    const path = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
    answers.set(apiVersion, (await get(path, until)) as ApiResourceList);
  };
  const own = served.filter((apiVersion) => !mayBeAggregated(apiVersion));
  await Promise.all(
    own.map(async (apiVersion) => {
      try {
        await ask(apiVersion);
      } catch (error) {
        if (!hasStatus(error, 404, 503)) throw error;
      }
    }),
  );
  // The API server answers, so that from here on it is the others who are slow.
  const limit = AbortSignal.any([signal, AbortSignal.timeout(aggregatedTimeoutMs)]);
  const aggregated = served.filter((apiVersion) => mayBeAggregated(apiVersion) && !down.has(apiVersion));
  await Promise.all(aggregated.map((apiVersion) => ask(apiVersion, limit).catch(() => signal.throwIfAborted())));
  const found = new Map<string, DiscoveredResource[]>();
  for (const apiVersion of served) {
    const { resources = [] } = answers.get(apiVersion) ?? {};
    const names = new Set(resources.map((resource) => resource.name));
    for (const { name, kind, namespaced, verbs = [] } of resources) {
      if (name.includes("/")) continue;
      const key = resourceName({ apiVersion, resource: name });
      const resource = { apiVersion, kind, resource: name, namespaced, verbs, hasStatus: names.has(`${name}/status`) };
      found.set(key, [...(found.get(key) ?? []), resource]);
    }
  }
  const versions = new Map(
    await Promise.all([...found].map(async ([name, all]) => [name, await storedFirst(get, name, all)] as const)),
  );
  return {
    resources: [...versions.values()].flatMap(([first]) => first ?? []),
    unavailable: served.filter((apiVersion) => !answers.has(apiVersion)),
    serverOf: (apiVersion) => servers.get(apiVersion),
    versionsOf: (name) => versions.get(name)?.map(({ apiVersion }) => apiVersion) ?? [],
    inVersion: (name, apiVersion) => versions.get(name)?.find((version) => version.apiVersion === apiVersion),
  };
}

/** An aggregated API's server that needs longer for a list of its kinds counts as down. */
const aggregatedTimeoutMs = 5_000;

const readyTimeoutMs = 30_000;
const readyPauseMs = 200;

/**
 * An API server that has just started answers before it is ready, and leaves out groups until then: a kind missing from its
 * documents would be taken for one that is not served. UNAVAILABLE when it does not get ready in time.
 * https://kubernetes.io/docs/reference/using-api/health-checks/
 */
async function ready(connection: Connection, signal: AbortSignal): Promise<void> {
  const limit = Date.now() + readyTimeoutMs;
  for (;;) {
    try {
      await connection.request({ method: "GET", path: "/readyz", signal });
      return;
    } catch (error) {
      if (hasStatus(error, 401, 403, 404)) return; // it does not reveal it
      if (!hasStatus(error, 500)) throw error;
      if (Date.now() > limit)
        throw new DrsError("UNAVAILABLE", "the API server is not ready: its /readyz?verbose says why", {
          cause: error,
        });
    }
    await sleep(readyPauseMs, undefined, { signal });
  }
}

/** A resource's versions, of a custom resource that in which its objects are stored first. */
async function storedFirst(
  get: Get,
  name: string,
  served: readonly DiscoveredResource[],
): Promise<readonly DiscoveredResource[]> {
  if (served.length === 1 || !name.includes(".")) return served;
  try {
    const { spec } = (await get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`)) as Definition;
    const stored = `${spec.group}/${spec.versions.find(({ storage }) => storage)?.name ?? ""}`;
    const isStored = ({ apiVersion }: DiscoveredResource) => apiVersion === stored;
    return [...served.filter(isStored), ...served.filter((version) => !isStored(version))];
  } catch (error) {
    if (!hasStatus(error, 403, 404)) throw error; // no custom resource, or not for this account to know
    return served;
  }
}
