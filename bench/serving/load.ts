import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type DescMethodUnary, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";

const run = promisify(execFile);
const generator = join(import.meta.dirname, "load-generator.ts");

/** A server on the loopback interface, and what each request shows it of its caller. */
export interface LoadTarget {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Files to trust, and of a client certificate. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
}

/** The generator's task: the same request over and over, one at a time on each connection. */
export interface Load {
  readonly protocol: "gRPC" | "JSON";
  /** Loaded in short turns, so that what else the machine does hits them alike. */
  readonly targets: readonly LoadTarget[];
  readonly path: string;
  /** The request's body, base64. */
  readonly body: string;
  readonly connections: number;
  /** How long each server is loaded, in all. */
  readonly seconds: number;
}

/** How a server did. */
export interface Served {
  /** Without the first turns, in which it warms up. */
  readonly perSecond: number;
  readonly requests: number;
}

/** Loads servers from a process of its own; returns what each did, in the order of the targets. */
export async function serve(load: Load): Promise<readonly Served[]> {
  const { stdout } = await run(process.execPath, [generator, JSON.stringify(load)]);
  return JSON.parse(stdout) as readonly Served[];
}

/** The path and the body of a call. */
export function encode(
  protocol: Load["protocol"],
  method: keyof typeof DrscpService.method,
  request: JsonObject,
): Pick<Load, "protocol" | "path" | "body"> {
  if (protocol === "JSON") {
    return { protocol, path: `/api/v1/drscp/${method}`, body: Buffer.from(JSON.stringify(request)).toString("base64") };
  }
  const { input, name }: DescMethodUnary = DrscpService.method[method];
  const message = toBinary(input, fromJson(input, request));
  // Not compressed, and the length: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  const body = Buffer.concat([prefix, message]).toString("base64");
  return { protocol, path: `/${DrscpService.typeName}/${name}`, body };
}
