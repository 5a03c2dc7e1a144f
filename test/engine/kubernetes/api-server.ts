import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { onTestFinished } from "vitest";
import { Cluster } from "../../../engine/kubernetes/cluster.ts";
import type { WriteGuard } from "../../../engine/kubernetes/cluster-writes.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}
type Answer = (asked: Asked, response: ServerResponse, count: number) => void;

/** A server that answers as a test says, and a cluster that asks it. What it was asked is kept, and who came. */
export async function apiServer(answer: Answer, inFlight = 4, guard?: WriteGuard) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      const { pathname: path, searchParams: query } = new URL(`http://host${request.url ?? "/"}`);
      const one = { method: request.method ?? "", path, query, body };
      asked.push(one);
      answer(one, response, asked.length);
    });
  });
  const connections = new Set<Socket>();
  server.on("connection", (socket) => connections.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const cluster = await Cluster.open({ server: `http://127.0.0.1:${port}` }, inFlight, guard);
  onTestFinished(async () => {
    await cluster.close();
    server.closeAllConnections();
    server.close();
  });
  return { cluster, asked, connections };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

export function reply(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

/** Sends the first part of an answer and breaks the connection. */
export function breakOff(response: ServerResponse, body: string, after: number): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.write(body.slice(0, after), () => response.destroy());
}

export const status = (code: number, reason: string, message: string, more: object = {}) => ({
  kind: "Status",
  apiVersion: "v1",
  code,
  reason,
  message,
  ...more,
});

export const noSignal = new AbortController().signal;
export const configMaps = { apiVersion: "v1", resource: "configmaps" };
