import { badRequest, expired } from "../objects/api-error.ts";
import type { Cluster } from "../cluster.ts";
import { isFields, printJson } from "../objects/json.ts";
import { keyOf } from "../objects/kubernetes-object.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";
import { itemText } from "../objects/object-text.ts";
import { apiVersionOf } from "../objects/resource.ts";
import type { Resource } from "../objects/resource.ts";
import { selection } from "../objects/selectors.ts";
import type { Target } from "./request-path.ts";

/** How lists are cut into pages. */
export interface Paging {
  /** No page holds more items than this, whatever limit is asked for. */
  readonly pageLimit: number;
  /** Tokens of another epoch have expired. */
  epoch: number;
}

interface ContinueToken {
  readonly epoch: number;
  readonly resourceVersion: string;
  /** The key of the last object that was listed. */
  readonly after: string;
}

/** A page of a list, as JSON. */
export function listPage({ store }: Cluster, target: Target, query: URLSearchParams, paging: Paging): string {
  const { resource, namespace } = target;
  const matches = selection(resource, query);
  const asked = Number(query.get("limit") ?? 0);
  const limit = asked > 0 ? Math.min(asked, paging.pageLimit) : Infinity;
  const token = readToken(query.get("continue") ?? "", paging);
  const items: KubernetesObject[] = [];
  let remaining = 0;
  for (const object of store.list(resource, namespace, token?.after)) {
    if (!matches(object)) continue;
    if (items.length < limit) items.push(object);
    else remaining++;
  }
  const resourceVersion = token?.resourceVersion ?? String(store.revision);
  const last = items.at(-1);
  const isSelective = query.get("labelSelector") || query.get("fieldSelector");
  return listText(resource, items, {
    resourceVersion,
    ...(remaining > 0 && last
      ? { continue: writeToken({ epoch: paging.epoch, resourceVersion, after: keyOf(last) }) }
      : {}),
    ...(remaining > 0 && !isSelective ? { remainingItemCount: remaining } : {}),
  });
}

export function listText(resource: Resource, items: readonly KubernetesObject[], metadata: object): string {
  const apiVersion = apiVersionOf(resource);
  const all = items.map((object) => itemText(resource, object)).join(",");
  const { listKind: kind } = resource;
  // Custom resources are written with their members in alphabetical order.
  return resource.custom
    ? `{"apiVersion":${printJson(apiVersion)},"items":[${all}],"kind":${printJson(kind)},"metadata":${printJson(metadata)}}`
    : `{"kind":${printJson(kind)},"apiVersion":${printJson(apiVersion)},"metadata":${printJson(metadata)},"items":[${all}]}`;
}

function writeToken(token: ContinueToken): string {
  return Buffer.from(printJson(token)).toString("base64url");
}

function readToken(text: string, paging: Paging): ContinueToken | undefined {
  if (text === "") return undefined;
  let token: unknown;
  try {
    token = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    throw badRequest("continue key is not valid: it is not a token of this server");
  }
  if (!isFields(token) || typeof token["after"] !== "string") throw badRequest("continue key is not valid: no start");
  const { epoch, after } = token as unknown as ContinueToken;
  if (epoch === paging.epoch) return token as unknown as ContinueToken;
  throw expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the " +
      "continue parameter, or use the continue token in this response to retrieve the remainder of the results.",
    writeToken({ epoch: paging.epoch, resourceVersion: "", after }),
  );
}
