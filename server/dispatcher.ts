import type { DescMethod } from "@bufbuild/protobuf";
import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { DrsError } from "../engine/errors.ts";
import { DrscpService, file_drscp_v1_drscp } from "../gen/drscp/v1/drscp_pb.ts";
import { file_health_v1_health, Health } from "../gen/health/v1/health_pb.ts";
import { CallAudit, currentAudit } from "./audit/call-audit.ts";
import { type Call, currentCall, type ServerRequest } from "./call.ts";
import { createGate } from "./callers/gate.ts";
import type { ServerContext } from "./context.ts";
import { codeName, toConnectError, toJsonError } from "./errors.ts";
import { health } from "./health.ts";
import { auditCalls, auditChanges } from "./interceptors/audit-calls.ts";
import { translateErrors } from "./interceptors/translate-errors.ts";
import { wholeLists } from "./interceptors/whole-lists.ts";
import { cutOff, isGone, writeJson } from "./json-reply.ts";
import type { ServerLimits } from "./limits/options.ts";
import { OpenCalls } from "./limits/open-calls.ts";
import { PendingBytes } from "./limits/pending-bytes.ts";
import { RateLimit } from "./limits/rate-limit.ts";
import { addReflection } from "./reflection.ts";
import { drainOnceAnswered } from "./request-body.ts";
import { mendRequestErrors } from "./request-errors.ts";
import { drscpRoutes } from "./routes.ts";
import { jsonRoutes, serveJson } from "./transcoding.ts";

/** Bytes of the longest question about health, or to reflection: both are names. */
const maxNameBytes = 4_096;
/** Bytes of all questions about health at once, kept apart so that strangers do not use up what callers have. */
const maxHealthBytes = 1_048_576;

export type Dispatch = (call: Call) => void;

export interface DispatcherSettings {
  readonly maxBodyBytes: number;
  readonly limits: ServerLimits;
  readonly pathPrefix?: string | undefined;
}

/**
 * Serves any request of any protocol; what it cannot serve gets an `Error` body. Never throws.
 *
 * Connect's own adapter for Node is not used: a malformed Host header makes it throw where nobody can catch it.
 */
export function createDispatcher(
  context: ServerContext,
  { maxBodyBytes, limits, pathPrefix = "" }: DispatcherSettings,
  stopping: AbortSignal,
): Dispatch {
  const { log } = context;
  const interceptors = [auditCalls, translateErrors(log), auditChanges];
  const rate = new RateLimit(limits.requestsPerSecond, log);
  const gate = new OpenCalls(limits.watches).gate(rate.gate(createGate(context.callers, log)));
  const routes = drscpRoutes(context);
  const byJsonPath = jsonRoutes(DrscpService, routes);
  const pending = new PendingBytes(limits.pendingBytes);
  const pendingOfHealth = new PendingBytes(maxHealthBytes);
  const router = createConnectRouter({
    requestGate: (call) => {
      mendRequestErrors(call);
      return gate(call);
    },
    interceptors: [...interceptors, wholeLists],
    readMaxBytes: maxBodyBytes,
    acceptCompression: [compressionGzip, compressionBrotli],
    // A request that destroys things must not be half understood.
    jsonOptions: { alwaysEmitImplicit: true, ignoreUnknownFields: false },
  });
  router.service(DrscpService, routes);
  router.service(
    Health,
    health(() => context.engine.isHealthy(), stopping),
    { readMaxBytes: maxNameBytes },
  );
  if (context.reflection !== false)
    addReflection(router, [file_drscp_v1_drscp, file_health_v1_health], { readMaxBytes: maxNameBytes });
  const byRpcPath = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  function methodOf(path: string): DescMethod | undefined {
    return (byJsonPath.get(path) ?? byRpcPath.get(path))?.method;
  }

  /** Health and reflection tell nothing of the control plane, and probes would drown everything else. */
  function auditOf(call: Call, path: string, method: DescMethod | undefined): CallAudit | undefined {
    if (!context.audit || (method && method.parent !== DrscpService)) return undefined;
    return new CallAudit(context.audit, log, call, method?.localName ?? path);
  }

  /** A method of health or reflection is named with its service; what is no method is `none`. */
  function measure({ outcome }: Call, method: DescMethod | undefined, seconds: number): void {
    const name =
      method?.parent === DrscpService ? method.localName : method && `${method.parent.typeName}/${method.name}`;
    context.metrics?.observeCall(name ?? "none", outcome, seconds);
  }

  async function serve(call: Call, path: string, audit: CallAudit | undefined): Promise<void> {
    const { request, response } = call;
    checkAuthority(request);
    const values = createContextValues().set(currentCall, call).set(currentAudit, audit);
    const spec = byJsonPath.get(path);
    if (spec) return serveJson(spec, { maxBodyBytes, pending, gate, interceptors }, values, call);
    const handler = byRpcPath.get(path);
    if (!handler) throw new DrsError("NOT_FOUND", `no such path: ${path}`);
    const universal = universalRequestFromNodeRequest(request, response, undefined, values);
    // Connect would make room for all that is announced, before any of it is here.
    universal.header.delete("content-length");
    const bytes = handler.service.typeName === Health.typeName ? pendingOfHealth : pending;
    const reply = await handler({ ...universal, body: bytes.of(call) });
    await universalResponseToNodeResponse(reply, response);
  }

  return (call) => {
    const { request, response } = call;
    const path = withoutPrefix(pathOf(request), pathPrefix);
    const method = methodOf(path);
    const audit = auditOf(call, path, method);
    const started = performance.now();
    response.setHeader("x-altus-request-id", call.requestId);
    drainOnceAnswered(request, response);
    response.once("close", () => {
      rate.countStray(call);
      audit?.replied();
      const ms = performance.now() - started;
      measure(call, method, ms / 1_000);
      if (call.isOneOfMany) return;
      const { requestId, outcome } = call;
      log.info(
        { method: pathOf(request), status: response.statusCode, outcome, ms: Math.round(ms), requestId },
        "call",
      );
    });
    serve(call, path, audit).catch((error: unknown) => {
      // A client that went away is no failure, and hears nothing.
      if (isGone(response)) return;
      const translated = toConnectError(error, call.requestId, log);
      if (call.outcome === "REFUSED") call.outcome = codeName(translated.code);
      if (response.headersSent) return cutOff(response);
      const { status, body } = toJsonError(translated);
      writeJson(response, status, JSON.stringify(body));
    });
  };
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
