import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { createServer, request as httpsRequest, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { file } from "../support/test-server.ts";

interface ProxyOptions {
  /** The service, over TLS. */
  readonly target: string;
  /** What clients ask for in front of the service's own paths. */
  readonly prefix: string;
  /** Whether the prefix is taken away on the way, or left. */
  readonly strips: boolean;
}

/** What the service has answered to a request. */
interface Passed {
  readonly requestHeaders: IncomingHttpHeaders;
  readonly status: number;
  readonly body: string;
}

/** A reverse proxy that ends TLS and serves the API under a path. */
export class PrefixProxy {
  readonly #server: Server;
  readonly #options: ProxyOptions;
  readonly #ca = readFileSync(file("server-authority.pem"));
  readonly passed: Passed[] = [];
  /** So many of the next answers are lost: the client's connection breaks instead. */
  answersToLose = 0;

  private constructor(options: ProxyOptions) {
    this.#options = options;
    const tls = { cert: readFileSync(file("server.pem")), key: readFileSync(file("server-key.pem")) };
    this.#server = createServer(tls, (request, response) => {
      this.#pass(request, response).catch(() => request.socket.destroy());
    });
  }

  static async start(options: ProxyOptions): Promise<PrefixProxy> {
    const proxy = new PrefixProxy(options);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** The URL for clients: with the prefix. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#options.prefix}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { target, prefix, strips } = this.#options;
    const { method = "", url = "", headers } = request;
    if (!url.startsWith(`${prefix}/`)) return void response.writeHead(404).end();
    const { host: _host, connection: _connection, ...passedOn } = headers;
    const forwarded = { "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "https", "x-forwarded-prefix": prefix };
    const asked = httpsRequest(new URL(strips ? url.slice(prefix.length) : url, target), {
      method,
      headers: { ...passedOn, ...forwarded },
      ca: this.#ca,
    });
    request.pipe(asked);
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    const body = Buffer.concat(await answer.toArray());
    const { statusCode: status = 0, headers: answered } = answer;
    this.passed.push({ requestHeaders: headers, status, body: body.toString() });
    if (this.answersToLose > 0) {
      this.answersToLose -= 1;
      request.socket.destroy();
    } else {
      response.writeHead(status, answered).end(body);
    }
  }
}
