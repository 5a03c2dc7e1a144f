import type { ApiClient } from "./api-client.ts";
import { knownClients } from "./known-clients.ts";

/** In the order of `knownClients`. */
export const protocols = ["gRPC", "gRPC-Web", "Connect", "JSON"] as const;
export type Protocol = (typeof protocols)[number];

/** A client of a server in clear text that sends these headers with each call. */
export function clientOf(protocol: Protocol, url: string, headers: Readonly<Record<string, string>>): ApiClient {
  const client = knownClients(url, { headers: () => headers })[protocols.indexOf(protocol)];
  if (!client) throw new Error(`no client speaks ${protocol}`);
  return client;
}
