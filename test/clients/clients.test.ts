import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll } from "vitest";
import { type ApiClient, bufCurlClient, connectClient, grpcJsClient, jsonClient } from "../support/api-client.ts";
import { clientSuite } from "../support/client-suite.ts";
import { pagingSuite } from "../support/paging-suite.ts";
import { FakeEngine } from "../support/fake-engine.ts";
import { certificate, certificateFile, startTestServer, type TestServer } from "../support/test-server.ts";

let running: TestServer;
beforeAll(async () => {
  running = await startTestServer(new FakeEngine());
});
afterAll(() => running.server.close());

function bothSuites(name: string, connect: () => ApiClient): void {
  clientSuite(name, connect);
  pagingSuite(name, connect);
}

for (const kind of ["clear text", "TLS"] as const) {
  const secure = kind === "TLS";
  const url = () => (secure ? running.tlsUrl : running.url);
  const nodeOptions = secure ? { ca: certificate } : {};

  bothSuites(`gRPC by grpc-js, ${kind}`, () =>
    grpcJsClient(new URL(url()).host, secure ? credentials.createSsl(certificate) : credentials.createInsecure()),
  );
  bothSuites(`gRPC by Connect, ${kind}`, () => connectClient(createGrpcTransport({ baseUrl: url(), nodeOptions })));
  for (const httpVersion of ["1.1", "2"] as const) {
    bothSuites(`gRPC-Web, HTTP/${httpVersion}, ${kind}`, () =>
      connectClient(createGrpcWebTransport({ baseUrl: url(), httpVersion, nodeOptions })),
    );
    bothSuites(`Connect, HTTP/${httpVersion}, ${kind}`, () =>
      connectClient(createConnectTransport({ baseUrl: url(), httpVersion, useBinaryFormat: false, nodeOptions })),
    );
  }
  bothSuites(`JSON over HTTP/1.1, ${kind}`, () => jsonClient(url(), secure ? certificate : undefined));
  for (const protocol of ["grpc", "connect"]) {
    const flags = secure ? ["--cacert", certificateFile] : ["--http2-prior-knowledge"];
    bothSuites(`buf curl, ${protocol}, ${kind}`, () => bufCurlClient(url(), ["--protocol", protocol, ...flags]));
  }
}
