import { type DescMethodUnary, type DescService, getOption, hasOption, toJsonString } from "@bufbuild/protobuf";
import {
  type ContextValues,
  createHandlerContext,
  createServiceImplSpec,
  type Interceptor,
  type MethodImplSpec,
  type ServiceImpl,
} from "@connectrpc/connect";
import { invokeUnaryImplementation } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import { DrsError } from "../engine/errors.ts";
import { http as httpRule } from "../gen/google/api/annotations_pb.ts";
import type { Response, ServerRequest } from "./call.ts";
import { writeJson } from "./json-reply.ts";
import { requestFromJson } from "./strict-json.ts";

type UnarySpec = MethodImplSpec & { kind: "unary"; method: DescMethodUnary };

export interface TranscodingOptions {
  readonly maxBodyBytes: number;
  readonly interceptors: Interceptor[];
}

/** The unary rpcs and their implementations, by the path of their `google.api.http` annotation. */
export function jsonRoutes<Service extends DescService>(
  service: Service,
  implementation: ServiceImpl<Service>,
): ReadonlyMap<string, UnarySpec> {
  const { methods } = createServiceImplSpec(service, implementation as Partial<ServiceImpl<DescService>>);
  const routes = new Map<string, UnarySpec>();
  for (const spec of Object.values(methods)) {
    if (spec.kind !== "unary" || !hasOption(spec.method, httpRule)) continue;
    const { pattern } = getOption(spec.method, httpRule);
    if (pattern.case === "post") routes.set(pattern.value, spec);
  }
  return routes;
}

/**
 * Serves one rpc as JSON over POST, through the same interceptors and handler as the other protocols. What it throws has
 * not been replied to.
 */
export async function serveJson(
  spec: UnarySpec,
  options: TranscodingOptions,
  values: ContextValues,
  request: ServerRequest,
  response: Response,
): Promise<void> {
  if (request.method !== "POST") {
    const message = `use POST, not ${request.method}`;
    return writeJson(response, 405, JSON.stringify({ code: "UNIMPLEMENTED", message }), { allow: "POST" });
  }
  checkHeaders(request);
  const { header, url, signal } = universalRequestFromNodeRequest(request, response, undefined, values);
  const input = requestFromJson(spec.method.input, await readBody(request, options.maxBodyBytes));
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
  const output = await invokeUnaryImplementation(spec, context, input, options.interceptors);
  // Lists, states and empty texts are written too: clients print what is there.
  writeJson(response, 200, toJsonString(spec.method.output, output, { alwaysEmitImplicit: true }));
}

function checkHeaders({ headers }: ServerRequest): void {
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== undefined && type !== "application/json") {
    throw new DrsError("INVALID_ARGUMENT", `content-type must be application/json, not ${type}`);
  }
  const encoding = headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (encoding !== "identity") throw new DrsError("INVALID_ARGUMENT", `content-encoding ${encoding} is not understood`);
}

/** Reads the body, but never more than the limit; the request stays open for the reply. */
async function readBody(request: ServerRequest, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) {
      request.resume();
      throw new DrsError("INVALID_ARGUMENT", `the body is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
