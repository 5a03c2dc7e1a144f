import { execFile } from "node:child_process";
import { type DescMethodUnary, fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { post, type PostOptions } from "./http-json.ts";

export type Method = keyof typeof DrscpService.method;

/** Calls a method with its request as JSON. Resolves to the response as JSON; rejects with ApiError. */
export type ApiClient = (method: Method, request: JsonObject) => Promise<JsonObject>;

/** An error as any protocol reports it; the code is one of the JSON paths'. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

const emitAll = { alwaysEmitImplicit: true } as const;

/** `NotFound`, `not_found` and `NOT_FOUND` are one code. */
function upperSnake(code: string): string {
  return code.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

function methodOf(name: Method): DescMethodUnary {
  return DrscpService.method[name];
}

/** gRPC, gRPC-Web or Connect, as the transport says. */
export function connectClient(transport: Transport): ApiClient {
  const client = createClient(DrscpService, transport) as unknown as Record<Method, (input: unknown) => Promise<never>>;
  return async (name, request) => {
    const { input, output } = methodOf(name);
    try {
      return toJson(output, await client[name](fromJson(input, request)), emitAll) as JsonObject;
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      throw new ApiError(upperSnake(Code[code]), rawMessage);
    }
  };
}

/** gRPC as most of the world speaks it. */
export function grpcJsClient(address: string, credentials: grpc.ChannelCredentials): ApiClient & { close(): void } {
  const client = new grpc.Client(address, credentials);
  const call: ApiClient = (name, request) => {
    const { input, output, name: rpc } = methodOf(name);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/${DrscpService.typeName}/${rpc}`,
        (message: JsonObject) => Buffer.from(toBinary(input, fromJson(input, message))),
        (bytes) => toJson(output, fromBinary(output, bytes), emitAll) as JsonObject,
        request,
        (error, response) => {
          if (error) reject(new ApiError(grpc.status[error.code] ?? "", error.details));
          else resolve(response ?? {});
        },
      );
    });
  };
  return Object.assign(call, { close: () => client.close() });
}

/** JSON over HTTP/1.1, with the bytes `cdp drscp` sends. */
export function jsonClient(url: string, ca?: Buffer, options?: (path: string) => PostOptions): ApiClient {
  return async (name, request) => {
    const path = `/api/v1/drscp/${name}`;
    const reply = await post(url, path, { ...options?.(path), body: JSON.stringify(request), ...(ca && { ca }) });
    const body = JSON.parse(reply.body) as JsonObject & { code: string; message: string };
    if (reply.status >= 300) throw new ApiError(body.code, body.message);
    return body;
  };
}

/** `buf curl`, which learns the API from the server's reflection. */
export function bufCurlClient(url: string, flags: readonly string[]): ApiClient {
  return (name, request) => {
    const { name: rpc } = methodOf(name);
    const args = ["curl", ...flags, "--emit-defaults", "--data", JSON.stringify(request)];
    return new Promise((resolve, reject) => {
      execFile(
        "node_modules/.bin/buf",
        [...args, `${url}/${DrscpService.typeName}/${rpc}`],
        (error, stdout, stderr) => {
          if (!error) return resolve(JSON.parse(stdout) as JsonObject);
          const json = /\{[^]*\}/.exec(stderr)?.[0];
          if (!json) return reject(new Error(stderr, { cause: error }));
          const { code, message } = JSON.parse(json) as { code: string; message: string };
          reject(new ApiError(upperSnake(code), message));
        },
      );
    });
  };
}
