import type { DescMethod } from "@bufbuild/protobuf";
import { type ContextValues, createConnectRouter, createContextValues } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { DrsError } from "../engine/errors.ts";
import { DrscpService } from "../gen/drscp/v1/drscp_pb.ts";
import { type Call, currentCall, type ServerRequest, type Target } from "./http/call.ts";
import type { ServerContext } from "./context.ts";
import { toJsonError } from "./errors.ts";
import { gatesOf } from "./gate/gates.ts";
import { ruleOf } from "./gate/method-rule.ts";
import { Passage } from "./gate/passage.ts";
import { wholeLists } from "./json/whole-lists.ts";
import { cutOff, isGone, writeJson } from "./json/json-reply.ts";
import type { ServerLimits } from "./limits/options.ts";
import { PendingBytes } from "./limits/pending-bytes.ts";
import { drainOnceAnswered } from "./http/request-body.ts";
import { fixRequestErrors } from "./request-errors.ts";
import type { ServedService } from "./services/served-service.ts";
import { jsonRoutes, serveJson, type UnarySpec } from "./json/transcoding.ts";

/** Bytes of all requests of strangers at once, about health, kept apart so that they do not use up what callers have. */
const maxStrangersBytes = 1_048_576;

export type Dispatch = (call: Call) => void;

export interface DispatcherSettings {
  readonly maxBodyBytes: number;
  readonly limits: ServerLimits;
  readonly pathPrefix?: string | undefined;
}

/** The method served at a path. */
interface Route {
  readonly target: Target;
  readonly serve: (call: Call, values: ContextValues) => Promise<void>;
}

/**
 * Serves any request of any protocol; what it cannot serve gets an `Error` body. Never throws.
 *
 * Connect's own adapter for Node is not used: a malformed Host header makes it throw where nobody can catch it.
 */
export function createDispatcher(
  context: ServerContext,
  { maxBodyBytes, limits, pathPrefix = "" }: DispatcherSettings,
  services: readonly ServedService[],
): Dispatch {
  const passage = new Passage(gatesOf(context, limits), context.log, context.shutdown);
  const pending = new PendingBytes(limits.pendingBytes);
  const pendingOfStrangers = new PendingBytes(maxStrangersBytes);
  const router = createConnectRouter({
    requestGate: (handlerContext) => {
      fixRequestErrors(handlerContext);
      return passage.enter(handlerContext.values.get(currentCall), handlerContext.signal);
    },
    interceptors: [passage.interceptor, wholeLists],
    readMaxBytes: maxBodyBytes,
    acceptCompression: [compressionGzip, compressionBrotli],
    // A request that destroys things must not be half understood.
    jsonOptions: { alwaysEmitImplicit: true, ignoreUnknownFields: false },
  });
  for (const { service, implementation, options } of services) router.service(service, implementation, options);
  const routes = new Map<string, Route>([
    ...router.handlers.map((handler): [string, Route] => [handler.requestPath, rpcRoute(handler)]),
    ...services.flatMap((service) => [...jsonRoutes(service)].map(([path, spec]) => [path, jsonRoute(spec)] as const)),
  ]);

  function rpcRoute(handler: UniversalHandler): Route {
    const target = targetOf(handler.method);
    const bytes = target.rule.callers === "anybody" ? pendingOfStrangers : pending;
    const serve: Route["serve"] = async (call, values) => {
      const { request, response } = call;
      const universal = universalRequestFromNodeRequest(request, response, undefined, values);
      // Connect would make room for all that is announced, before any of it is here.
      universal.header.delete("content-length");
      const reply = await handler({ ...universal, body: bytes.of(call) });
      await universalResponseToNodeResponse(reply, response);
    };
    return { target, serve };
  }

  function jsonRoute(spec: UnarySpec): Route {
    const serve: Route["serve"] = (call, values) => serveJson(spec, { maxBodyBytes, pending, passage }, values, call);
    return { target: targetOf(spec.method), serve };
  }

  async function serve(call: Call, route: Route | undefined): Promise<void> {
    checkAuthority(call.request);
    if (!route) throw new DrsError("NOT_FOUND", `no such path: ${call.path}`);
    await route.serve(call, createContextValues().set(currentCall, call));
  }

  return (call) => {
    const { request, response } = call;
    call.path = withoutPrefix(pathOf(request), pathPrefix);
    const route = routes.get(call.path);
    call.target = route?.target;
    response.setHeader("x-altus-request-id", call.requestId);
    drainOnceAnswered(request, response);
    response.once("close", () => passage.replied(call));
    serve(call, route).catch((error: unknown) => {
      // A client that went away is no failure, and hears nothing.
      if (isGone(response)) return;
      const translated = passage.translate(call, error);
      if (response.headersSent) return cutOff(response);
      const { status, headers, body } = toJsonError(translated);
      writeJson(response, status, JSON.stringify(body), headers);
    });
  };
}

/** A method is looked at once, before the first call. Those of others' services are named with their service. */
function targetOf(method: DescMethod): Target {
  const { parent, localName } = method;
  const name = parent === DrscpService ? localName : `${parent.typeName}/${method.name}`;
  return { method, name, rule: ruleOf(method) };
}

function pathOf(request: ServerRequest): string {
  return request.url?.split("?", 1)[0] ?? "";
}

/** The service's own path, whether or not a proxy has left its prefix in front. */
function withoutPrefix(path: string, prefix: string): string {
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
}

function checkAuthority(request: ServerRequest): void {
  const authority = "authority" in request ? request.authority : request.headers.host;
  if (authority && URL.canParse(`http://${authority}`)) return;
  throw new DrsError("INVALID_ARGUMENT", "the Host header is missing or malformed");
}
