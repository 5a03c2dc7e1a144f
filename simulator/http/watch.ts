import type { ServerResponse } from "node:http";
import { ApiError } from "../objects/api-error.ts";
import type { Cluster } from "../cluster.ts";
import { printJson } from "../objects/json.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";
import { objectText } from "../objects/object-text.ts";
import type { Change } from "../objects/object-store.ts";
import { apiVersionOf, resourceId } from "../objects/resource.ts";
import { selection } from "../objects/selectors.ts";
import type { Target } from "./request-path.ts";

/**
 * Streams the changes of a collection or an object until the client goes or `timeoutSeconds` have passed.
 *
 * Without a resourceVersion the present objects come first, as ADDED. An object that begins or ceases to match the
 * selectors is shown as ADDED or DELETED.
 */
export function watch({ store }: Cluster, target: Target, query: URLSearchParams, response: ServerResponse): void {
  const { resource, namespace, name } = target;
  const selected = selection(resource, query);
  const inScope = ({ metadata }: KubernetesObject) =>
    (namespace === "" || metadata.namespace === namespace) && (name === "" || metadata.name === name);
  const matches = (object: KubernetesObject) => inScope(object) && selected(object);
  const send = (type: string, text: string) => response.write(`{"type":"${type}","object":${text}}\n`);
  const sendChange = (change: Change) => {
    const type = resourceId(change.resource) === resourceId(resource) ? visibleType(change, matches) : undefined;
    if (type !== undefined) send(type, objectText(resource, change.object));
  };
  const bookmark = (annotations?: object) => {
    const metadata = {
      resourceVersion: String(store.revision),
      creationTimestamp: null,
      ...(annotations && { annotations }),
    };
    send("BOOKMARK", printJson({ kind: resource.kind, apiVersion: apiVersionOf(resource), metadata }));
  };

  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const since = query.get("resourceVersion") ?? "";
  try {
    if (since !== "" && since !== "0" && query.get("sendInitialEvents") !== "true") {
      for (const change of store.changesSince(Number(since))) sendChange(change);
    } else if (query.get("sendInitialEvents") !== "false") {
      for (const object of store.list(resource, namespace))
        if (matches(object)) send("ADDED", objectText(resource, object));
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    send("ERROR", printJson(error.toStatus()));
    response.end();
    return;
  }
  if (query.get("sendInitialEvents") === "true") bookmark({ "k8s.io/initial-events-end": "true" });

  const unsubscribe = store.subscribe(sendChange);
  const seconds = Number(query.get("timeoutSeconds") ?? 0);
  const timer = seconds > 0 ? setTimeout(() => end(), seconds * 1000) : undefined;
  const end = () => {
    if (query.get("allowWatchBookmarks") === "true") bookmark();
    response.end();
  };
  response.on("close", () => {
    unsubscribe();
    clearTimeout(timer);
  });
}

/** What a watcher with a selector sees of a change; undefined when nothing. */
function visibleType(change: Change, matches: (object: KubernetesObject) => boolean): Change["type"] | undefined {
  const before = change.previous !== undefined && matches(change.previous);
  if (change.type === "DELETED") return before ? "DELETED" : undefined;
  const after = matches(change.object);
  if (after) return before ? "MODIFIED" : "ADDED";
  return before ? "DELETED" : undefined;
}
