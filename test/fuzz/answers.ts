import type { IncomingHttpHeaders } from "node:http2";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { type DescMessage, fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { HealthCheckResponseSchema } from "../../gen/health/v1/health_pb.ts";
import { jsonErrors } from "../../server/errors.ts";
import type { FuzzRequest } from "./requests.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** gRPC's own numbers: https://grpc.io/docs/guides/status-codes/ */
const ok = 0;
const deadlineExceeded = 4;
const unauthenticated = 16;
const unauthenticatedHttp = 401;
/** The service is well and nothing is stopped, so no code that says otherwise is right. */
const faults: Readonly<Record<number, string>> = { 2: "UNKNOWN", 13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS" };
/** The codes of Connect, as Connect's protocol spells them: https://connectrpc.com/docs/protocol/#error-codes */
const connectStatuses: Readonly<Record<string, number>> = {
  canceled: 499,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  unauthenticated: 401,
};

/**
 * What is wrong with an answer; undefined when it is well-formed and no fault of the service. Of the statuses from 500 on
 * there may be only what Connect's protocol asks for: 501 with an encoding that the service does not know, 504 when the
 * client's own time limit is over, and 505 when a streaming call comes over HTTP/1.1.
 */
export function faultOf(request: FuzzRequest, answer: Answer): string | undefined {
  try {
    check(request, answer);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export type Verdict = "succeeded" | "caller not known" | "failed";

/** How the call went, on any protocol. Of a well-formed answer. */
export function verdictOf({ status, headers, trailers, body }: Answer): Verdict {
  const type = headers["content-type"] ?? "";
  if (type.startsWith("application/connect+")) {
    // A stream of Connect's always begins with 200: its last frame says how it went.
    const { error } = JSON.parse(checkFrames(body).at(-1)?.content.toString() ?? "") as { error?: { code: string } };
    return error === undefined ? "succeeded" : error.code === "unauthenticated" ? "caller not known" : "failed";
  }
  if (!type.startsWith("application/grpc")) {
    return status === 200 ? "succeeded" : status === unauthenticatedHttp ? "caller not known" : "failed";
  }
  const frames = type.startsWith("application/grpc-web") ? checkFrames(body) : [];
  const code = Number({ ...headers, ...trailers, ...trailersIn(frames) }["grpc-status"]);
  return code === ok ? "succeeded" : code === unauthenticated ? "caller not known" : "failed";
}

function check(request: FuzzRequest, answer: Answer): void {
  const { status, headers } = answer;
  const body = decompressed(answer.body, headers["content-encoding"]);
  holds(/^[\x21-\x7e]{1,128}$/.test(String(headers["x-altus-request-id"])), "there is no x-altus-request-id");
  if (request.method === "HEAD") return;
  const type = headers["content-type"] ?? "";
  if (type.startsWith("application/grpc-web")) return checkGrpcWeb(request, answer);
  if (type.startsWith("application/grpc")) return checkGrpc(request, answer);
  if (type.startsWith("application/connect+")) return void checkFrames(body);
  if (body.length === 0 && [405, 415, 505].includes(status)) {
    // Connect's answers to a method, a content type or an HTTP version that it does not serve have no body.
    holds(status !== 505 || request.path.includes("Reflection"), "505 is for streams only");
    return;
  }
  if (type === "application/proto") {
    holds(status === 200, `${status} has no message`);
    fromBinary(replyOf(request), body);
    return;
  }
  holds(type === "application/json", `the content type is ${type}`);
  const json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as JsonValue;
  if (status === 200) fromJson(replyOf(request), json);
  else checkError(request, status, json);
}

function checkError(request: FuzzRequest, status: number, json: JsonValue): void {
  const { code, message } = json as { code?: unknown; message?: unknown };
  if (typeof code === "string" && code in connectStatuses) {
    holds(isRpc(request), "Connect's errors are for Connect's paths");
    holds(status === connectStatuses[code], `${code} does not go with ${status}`);
    if (code === "deadline_exceeded") holds("connect-timeout-ms" in request.headers, "there was no time limit");
    if (code === "unimplemented")
      holds(/encoding|compression/.test(String(message)), `it is implemented: ${String(message)}`);
    return;
  }
  const codes = status === 405 ? ["UNIMPLEMENTED"] : jsonErrors.get(status);
  holds(typeof code === "string" && codes?.includes(code) === true, `${String(code)} does not go with ${status}`);
  holds(status < 500, `${status} ${code}: ${String(message)}`);
  holds(typeof message === "string" && message !== "", "the error says nothing");
}

function checkGrpc(request: FuzzRequest, { status, headers, trailers, body }: Answer): void {
  holds(status === 200, `gRPC's answers have status 200, not ${status}`);
  const messages = checkFrames(body);
  const isOk = checkStatus(request, { ...headers, ...trailers });
  checkMessages(request, messages, isOk, headers);
}

function checkGrpcWeb(request: FuzzRequest, { status, headers, body }: Answer): void {
  holds(status === 200, `gRPC-Web's answers have status 200, not ${status}`);
  const frames = checkFrames(body);
  const trailers = trailersIn(frames);
  const isOk = checkStatus(request, { ...headers, ...trailers });
  checkMessages(request, trailers ? frames.slice(0, -1) : frames, isOk, headers);
}

/** Of gRPC-Web, where they are in the body. */
function trailersIn(frames: readonly Frame[]): IncomingHttpHeaders | undefined {
  const last = frames.at(-1);
  if (last === undefined || (last.flags & 0x80) === 0) return undefined;
  const lines = last.content.toString("latin1").trim().split("\r\n");
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
}

/** Whether the status is OK; it has to be there, and no fault. */
function checkStatus(request: FuzzRequest, trailers: IncomingHttpHeaders): boolean {
  const text = String(trailers["grpc-status"]);
  holds(/^\d{1,2}$/.test(text) && Number(text) <= 16, `grpc-status is ${text}`);
  const status = Number(text);
  const message = decodeURIComponent(String(trailers["grpc-message"]));
  holds(!(status in faults) || isCompressedUnannounced(message), `${faults[status]}: ${message}`);
  if (status === deadlineExceeded) holds("grpc-timeout" in request.headers, "there was no time limit");
  return status === ok;
}

/** INTERNAL by gRPC's own rules: https://github.com/grpc/grpc/blob/master/doc/compression.md */
function isCompressedUnannounced(message: string): boolean {
  return message === "received compressed envelope, but do not know how to decompress";
}

function checkMessages(
  request: FuzzRequest,
  messages: readonly Frame[],
  isOk: boolean,
  { "content-type": contentType = "", "grpc-encoding": encoding }: IncomingHttpHeaders,
): void {
  if (isStream(request)) return;
  holds(messages.length === (isOk ? 1 : 0), `there are ${messages.length} messages`);
  for (const { flags, content: received } of messages) {
    holds(flags === 0 || (flags === 1 && encoding !== undefined), `the message's flags are ${flags}`);
    const content = flags === 0 ? received : decompressed(received, encoding);
    if (contentType.endsWith("+json")) fromJson(replyOf(request), JSON.parse(content.toString()) as JsonValue);
    else fromBinary(replyOf(request), content);
  }
}

/** In the way that the answer names: one of those that the client has said it takes. */
function decompressed(bytes: Buffer, encoding: unknown): Buffer {
  if (encoding === "gzip") return gunzipSync(bytes);
  return encoding === "br" ? brotliDecompressSync(bytes) : bytes;
}

interface Frame {
  readonly flags: number;
  readonly content: Buffer;
}

function checkFrames(body: Buffer): readonly Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < body.length;) {
    holds(at + 5 <= body.length, "the last frame has no head");
    const end = at + 5 + body.readUInt32BE(at + 1);
    holds(end <= body.length, "the last frame is cut off");
    frames.push({ flags: body.readUInt8(at), content: body.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}

function replyOf({ path }: FuzzRequest): DescMessage {
  const name = path.split("?", 1)[0]?.split("/").at(-1)?.toLowerCase();
  if (path.startsWith("/grpc.health.")) return HealthCheckResponseSchema;
  const method = Object.values(DrscpService.method).find(({ localName }) => localName.toLowerCase() === name);
  if (!method) throw new Error(`${path} is answered with a success`);
  return method.output;
}

function isRpc({ path }: FuzzRequest): boolean {
  return !path.startsWith("/api/");
}

function isStream({ path }: FuzzRequest): boolean {
  return path.startsWith("/grpc.reflection.");
}

function holds(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}
