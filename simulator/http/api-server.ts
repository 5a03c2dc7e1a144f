import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { ApiError, badRequest, methodNotAllowed } from "../objects/api-error.ts";
import { reviewResources } from "../objects/built-in-resources.ts";
import type { Cluster } from "../cluster.ts";
import { isFields, parseJson, printJson } from "../objects/json.ts";
import { objectText } from "../objects/object-text.ts";
import { discovery, version } from "./discovery.ts";
import { listPage } from "./list.ts";
import type { Paging } from "./list.ts";
import { parsePath } from "./request-path.ts";
import type { Target } from "./request-path.ts";
import { review } from "./reviews.ts";
import type { AccessRules } from "./reviews.ts";
import { scaleOf } from "./scale.ts";
import { watch } from "./watch.ts";
import { create, evict, existing, patch, remove, removeAll, replace } from "./write.ts";
import type { Reply } from "./write.ts";

/** A request before it is answered. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** As it was sent. */
  readonly body: string;
}

/**
 * What a request is answered in the server's stead: a reply; nothing, as the connection breaks before the request is looked at; or
 * nothing although it is done, as the connection breaks after that.
 */
export type Intercepted =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | "broken off"
  | "done and broken off";

/** The answer, undefined to leave it to the server, or a promise of either. */
export type Interception = Intercepted | undefined | Promise<Intercepted | undefined>;

/** What the server works with besides the cluster. */
export interface ServerDeps {
  readonly paging: Paging;
  readonly access: AccessRules;
  /** Looks at every request first, and may answer it; the request waits for it. */
  intercept(request: Request): Interception;
}

const bodyLimit = 3 * 1024 * 1024;

/** An HTTP server that speaks the Kubernetes API on the cluster; the caller makes it listen. */
export function createApiServer(cluster: Cluster, deps: ServerDeps): Server {
  return createServer((request, response) => {
    answer(cluster, deps, request, response).catch((error: unknown) => {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      const known =
        error instanceof ApiError ? error : new ApiError(500, "InternalError", `Internal error: ${String(error)}`);
      send(response, known.code, printJson(known.toStatus()));
    });
  });
}

async function answer(cluster: Cluster, deps: ServerDeps, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(`http://simulator${request.url ?? "/"}`);
  const method = request.method ?? "GET";
  const { pathname: path, searchParams: query } = url;
  const body = await readBody(request);
  const intercepted = await deps.intercept({ method, path, query, body });
  if (intercepted === "broken off") {
    response.destroy();
    return;
  }
  if (typeof intercepted === "object") {
    for (const [name, value] of Object.entries(intercepted.headers ?? {})) response.setHeader(name, value);
    send(response, intercepted.status, printJson(intercepted.body ?? {}));
    return;
  }
  if (["/readyz", "/livez", "/healthz"].includes(path)) {
    sendText(response, 200, "ok");
    return;
  }
  const document = path === "/version" ? version : discovery(path, cluster.registry);
  if (document !== undefined) {
    send(response, 200, printJson(document));
    return;
  }
  const sent = parseBody(body);
  const kind = reviewResources.find(({ group, plural }) => path === `/apis/${group}/v1/${plural}`)?.kind;
  if (kind !== undefined) {
    if (method !== "POST") throw methodNotAllowed();
    send(response, 201, printJson(review(kind, isFields(sent) ? sent : {}, deps.access)));
    return;
  }
  const target = parsePath(path, cluster.registry);
  if (target === undefined) {
    sendText(response, 404, "404 page not found\n");
    return;
  }
  if (method === "GET" && ["true", "1"].includes(query.get("watch") ?? "")) {
    watch(cluster, target, query, response);
    return;
  }
  if (method === "GET" && target.subresource === "log") {
    const lines = cluster.programs.logs.get(existing(cluster, target).metadata.uid) ?? [];
    sendText(
      response,
      200,
      lines
        .slice(-Number(query.get("tailLines") ?? lines.length))
        .map((line) => `${line}\n`)
        .join(""),
    );
    return;
  }
  const type = (request.headers["content-type"] ?? "").split(";")[0] ?? "";
  const reply = respond(cluster, deps, target, method, query, type, sent);
  if (intercepted === "done and broken off") response.destroy();
  else send(response, reply.status, reply.text);
}

function respond(
  cluster: Cluster,
  { paging }: ServerDeps,
  target: Target,
  method: string,
  query: URLSearchParams,
  type: string,
  body: unknown,
): Reply {
  const { resource, name, subresource } = target;
  if (name === "") {
    if (method === "GET") return { status: 200, text: listPage(cluster, target, query, paging) };
    if (method === "POST") return create(cluster, target, query, body);
    if (method === "DELETE") return removeAll(cluster, target, query, body);
    throw methodNotAllowed();
  }
  if (subresource === "eviction" && method === "POST") return evict(cluster, target);
  if (method === "GET") {
    const object = existing(cluster, target);
    return { status: 200, text: subresource === "scale" ? printJson(scaleOf(object)) : objectText(resource, object) };
  }
  if (method === "PUT") return replace(cluster, target, query, body);
  if (method === "PATCH") return patch(cluster, target, query, type, body);
  if (method === "DELETE" && subresource === "") return remove(cluster, target, query, body);
  throw methodNotAllowed();
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= bodyLimit) chunks.push(chunk);
  }
  if (length > bodyLimit) {
    throw new ApiError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${bodyLimit}`, {});
  }
  return Buffer.concat(chunks).toString();
}

function parseBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    return parseJson(text);
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: ${String(error)}`);
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}
