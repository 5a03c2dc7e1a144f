import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "../../engine/logger.ts";
import type { Address } from "../settings/parsers.ts";
import type { Metrics } from "./metrics.ts";

/** Scrapers are few; each one asks, and is gone. */
const limits = { requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 60_000, maxHeaderSize: 8_192 };
const maxConnections = 32;

export interface MetricsServer {
  readonly address: AddressInfo;
  close(): Promise<void>;
}

/** Serves `GET /metrics`, and nothing else, on a port of its own to anyone who reaches it. */
export async function serveMetrics(metrics: Metrics, { host, port }: Address, log: Logger): Promise<MetricsServer> {
  const server = createServer(limits, (request, response) => {
    if (request.url?.split("?", 1)[0] !== "/metrics") response.writeHead(404).end("metrics are at /metrics\n");
    else if (request.method !== "GET") response.writeHead(405, { allow: "GET" }).end();
    else
      metrics.text().then(
        (text) => response.writeHead(200, { "content-type": metrics.contentType }).end(text),
        (error: unknown) => {
          log.error({ err: error }, "metrics cannot be told");
          response.writeHead(500).end("the service's own log says why\n");
        },
      );
  });
  server.maxConnections = maxConnections;
  server.listen(port, host);
  await once(server, "listening");
  return {
    address: server.address() as AddressInfo,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
