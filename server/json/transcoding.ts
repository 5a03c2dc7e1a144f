import {
  type DescMethodUnary,
  getOption,
  hasOption,
  type JsonValue,
  type Message,
  toJson,
  toJsonString,
} from "@bufbuild/protobuf";
import {
  type ContextValues,
  createHandlerContext,
  createServiceImplSpec,
  type MethodImplSpec,
} from "@connectrpc/connect";
import { invokeUnaryImplementation } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import { DrsError } from "../../engine/errors.ts";
import { http as httpRule } from "../../gen/google/api/annotations_pb.ts";
import type { Call, ServerRequest } from "../http/call.ts";
import type { Passage } from "../gate/passage.ts";
import { writeJson, writeJsonPieces } from "./json-reply.ts";
import { itemsField, requestForMore } from "./list-pages.ts";
import type { PendingBytes } from "../limits/pending-bytes.ts";
import type { ServedService } from "../services/served-service.ts";
import { requestFromJson } from "./strict-json.ts";

/** Lists, states and empty texts are written too: clients print the fields they get. */
const writeOptions = { alwaysEmitImplicit: true } as const;

export type UnarySpec = MethodImplSpec & { kind: "unary"; method: DescMethodUnary };

export interface TranscodingOptions {
  readonly maxBodyBytes: number;
  readonly pending: PendingBytes;
  readonly passage: Passage;
}

/** A service's unary rpcs and their implementations, by the path of their `google.api.http` annotation. */
export function jsonRoutes({ service, implementation }: ServedService): ReadonlyMap<string, UnarySpec> {
  const { methods } = createServiceImplSpec(service, implementation);
  const routes = new Map<string, UnarySpec>();
  for (const spec of Object.values(methods)) {
    if (spec.kind !== "unary" || !hasOption(spec.method, httpRule)) continue;
    const { pattern } = getOption(spec.method, httpRule);
    if (pattern.case === "post") routes.set(pattern.value, spec);
  }
  return routes;
}

/**
 * Serves one rpc as JSON over POST, through the same gates and handler as the other protocols. Its errors have not been
 * replied to.
 */
export async function serveJson(
  spec: UnarySpec,
  options: TranscodingOptions,
  values: ContextValues,
  call: Call,
): Promise<void> {
  const { request, response } = call;
  if (request.method !== "POST") {
    const message = `use POST, not ${request.method}`;
    return writeJson(response, 405, JSON.stringify({ code: "UNIMPLEMENTED", message }), { allow: "POST" });
  }
  const { header, url, signal } = universalRequestFromNodeRequest(request, response, undefined, values);
  const context = createHandlerContext({
    service: spec.method.parent,
    method: spec.method,
    protocolName: "json",
    requestMethod: "POST",
    url,
    requestHeader: header,
    requestSignal: signal,
    contextValues: values,
  });
  await options.passage.enter(call, context.signal);
  checkHeaders(request);
  const input = requestFromJson(spec.method.input, await readBody(options.pending.of(call), options.maxBodyBytes));
  const invoke = (message: Message) => invokeUnaryImplementation(spec, context, message, [options.passage.interceptor]);
  const output = await invoke(input);
  if (requestForMore(input, output)) return writeJsonPieces(response, listInPieces(spec.method, input, output, invoke));
  writeJson(response, 200, toJsonString(spec.method.output, output, writeOptions));
}

/** A list's reply, page by page, so that memory does not grow with the list. */
async function* listInPieces(
  { output: schema }: DescMethodUnary,
  request: Message,
  firstPage: Message,
  invoke: (request: Message) => Promise<Message>,
): AsyncGenerator<string> {
  const { jsonName } = itemsField(schema);
  let before = `{${JSON.stringify(jsonName)}:[`;
  let page = firstPage;
  for (let more = requestForMore(request, page); ; more = requestForMore(more, page)) {
    const items = (toJson(schema, page, writeOptions) as Record<string, JsonValue[]>)[jsonName] ?? [];
    // A page is empty when the rest of the list has been deleted.
    if (items.length > 0) yield before + items.map((item) => JSON.stringify(item)).join(",");
    before = ",";
    if (more === undefined) break;
    page = await invoke(more);
  }
  yield "]}";
}

function checkHeaders({ headers }: ServerRequest): void {
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== undefined && type !== "application/json") {
    throw new DrsError("INVALID_ARGUMENT", `content-type must be application/json, not ${type}`);
  }
  const encoding = headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (encoding !== "identity") throw new DrsError("INVALID_ARGUMENT", `content-encoding ${encoding} is not understood`);
}

/** Reads the body, but never more than the limit. */
async function readBody(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new DrsError("INVALID_ARGUMENT", `the body is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
