import type { Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { type ApiClient, connectClient, jsonClient } from "./api-client.ts";
import { certificate } from "./test-server.ts";

/** What a client shows of itself. */
export interface Credentials {
  /** Headers that may depend on what is asked for. */
  readonly headers?: (path: string, contentType: string) => Readonly<Record<string, string>>;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** A client for each of gRPC, gRPC-Web, Connect and, last, JSON, over TLS or in clear text as the URL says. */
export function knownClients(url: string, { headers, ...tls }: Credentials): readonly ApiClient[] {
  const addHeaders: Interceptor = (next) => (request) => {
    const { pathname } = new URL(request.url);
    const added = headers?.(pathname, request.header.get("content-type") ?? "") ?? {};
    for (const [name, value] of Object.entries(added)) request.header.set(name, value);
    return next(request);
  };
  const common = { baseUrl: url, interceptors: [addHeaders], nodeOptions: { ca: certificate, ...tls } };
  // Without credentials of its own this client sends none at all.
  const none = { "x-altus-auth": undefined, "x-altus-date": undefined };
  return [
    connectClient(createGrpcTransport(common)),
    connectClient(createGrpcWebTransport({ ...common, httpVersion: "1.1" })),
    connectClient(createConnectTransport({ ...common, httpVersion: "2" })),
    jsonClient(url, url.startsWith("https:") ? certificate : undefined, (path) => ({
      ...tls,
      headers: { ...none, ...headers?.(path, "application/json") },
    })),
  ];
}
