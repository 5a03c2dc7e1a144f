import type { RequestOptions } from "node:https";
import { isDeepStrictEqual } from "node:util";
import { Agent } from "undici";

/** Streams have no limit: they wait for their takers, who would else wait for a connection that a stream holds. */
export type Lane = "requests" | "streams";

/** The API server's own limit for one request is 60 s. */
const answerTimeoutMs = 70_000;

type Tls = Pick<RequestOptions, "ca" | "cert" | "key" | "pfx" | "passphrase" | "servername" | "rejectUnauthorized">;

/**
 * The connections to an API server, made with the certificates of the moment: when these change new ones take their place,
 * as a client certificate counts for a connection as long as that lives. Requests in progress on the former ones end there.
 */
export class Agents {
  readonly #inFlight: number;
  #tls: Tls = {};
  #agents: Readonly<Record<Lane, Agent>> | undefined;

  constructor(inFlight: number) {
    this.#inFlight = inFlight;
  }

  get(lane: Lane, { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized }: Tls): Agent {
    const tls = { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized };
    if (this.#agents === undefined || !isDeepStrictEqual(tls, this.#tls)) {
      for (const former of Object.values(this.#agents ?? {})) void former.close().catch(() => {});
      this.#agents = this.#make(tls);
      this.#tls = tls;
    }
    return this.#agents[lane];
  }

  async destroy(): Promise<void> {
    await Promise.all(Object.values(this.#agents ?? {}).map((agent) => agent.destroy()));
  }

  #make(tls: Tls): Readonly<Record<Lane, Agent>> {
    const given = Object.entries(tls).filter(([, value]) => value !== undefined);
    const options: Agent.Options = {
      connect: { timeout: 10_000, ...Object.fromEntries(given) },
      keepAliveTimeout: 30_000,
      // HTTP/2's frames and windows cost both sides: over HTTP/1.1 a long list takes a quarter less time.
      allowH2: false,
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
    };
    return { requests: new Agent({ ...options, connections: this.#inFlight }), streams: new Agent(options) };
  }
}
