import { credentials } from "@grpc/grpc-js";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll } from "vitest";
import { type ApiClient, bufCurlClient, connectClient, grpcJsClient, jsonClient } from "../support/api-client.ts";
import { clientSuite } from "../support/client-suite.ts";
import { createControlPlane } from "./support/control-plane.ts";
import { startService, type TestService } from "./support/service.ts";
import { sharedCluster } from "./support/shared-cluster.ts";

let service: TestService;
let grpc: ReturnType<typeof grpcJsClient>;

beforeAll(async () => {
  const cluster = await sharedCluster();
  await createControlPlane(cluster);
  service = await startService({ cluster });
  grpc = grpcJsClient(new URL(service.url).host, credentials.createInsecure());
});

afterAll(async () => {
  grpc?.close();
  await service?.stop();
});

/** Each client makes a backup of the real control plane, restores it and deletes it. */
const clients: Readonly<Record<string, () => ApiClient>> = {
  "gRPC (grpc-js)": () => grpc,
  "gRPC (Connect)": () => connectClient(createGrpcTransport({ baseUrl: service.url })),
  "gRPC-Web": () => connectClient(createGrpcWebTransport({ baseUrl: service.url, httpVersion: "1.1" })),
  Connect: () => connectClient(createConnectTransport({ baseUrl: service.url, httpVersion: "2" })),
  "JSON over HTTP/1.1": () => jsonClient(service.url),
  "buf curl with reflection": () => bufCurlClient(service.url, ["--protocol", "grpc", "--http2-prior-knowledge"]),
};
for (const [name, connect] of Object.entries(clients)) clientSuite(name, connect, { jobTimeout: 120_000 });
