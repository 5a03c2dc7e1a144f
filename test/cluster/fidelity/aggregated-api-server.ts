import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

const tls = join(import.meta.dirname, "../../support/tls");

/** The server of an aggregated API in this process: it serves one kind, `things`, and has one in every namespace. */
export interface AggregatedApiServer {
  readonly port: number;
  /** Takes requests from now on and answers none. */
  hang(): void;
  close(): void;
}

export async function startAggregatedApiServer(apiVersion: string): Promise<AggregatedApiServer> {
  const [key, cert] = await Promise.all([readFile(join(tls, "key.pem")), readFile(join(tls, "certificate.pem"))]);
  const kinds = {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersion,
    resources: [
      {
        name: "things",
        singularName: "thing",
        kind: "Thing",
        namespaced: true,
        verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
      },
    ],
  };
  const things = { kind: "ThingList", apiVersion, metadata: {}, items: [{ metadata: { name: "its-own" } }] };
  let hangs = false;
  const server = createServer({ key, cert }, (request, response) => {
    if (hangs) return;
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const answer = path === `/apis/${apiVersion}` ? kinds : path.endsWith("/things") ? things : undefined;
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? { kind: "Status", status: "Failure", code: 404, reason: "NotFound" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    hang() {
      hangs = true;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
