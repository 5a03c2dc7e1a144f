import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { TestCluster } from "../support/cluster.ts";

/** Stands between a service and the API server, and hands everything on as the cluster's administrator, or with a token. */
export class Gateway {
  /** For the service. */
  readonly kubeconfig: string;
  /** Of the requests that were answered 410, as a status or, in a watch, as an event. */
  readonly expired: string[] = [];
  /** May hold a request back, and change its path: what it gives is handed on. */
  onRequest: (path: string, method: string) => string | Promise<string> = (path) => path;
  /** Of the requests that were answered 403. */
  readonly forbidden: string[] = [];
  readonly #apiServer: string;
  readonly #agent: Agent;
  readonly #server: Server;

  private constructor(kubeconfig: string, apiServer: string, agent: Agent) {
    this.kubeconfig = kubeconfig;
    this.#apiServer = apiServer;
    this.#agent = agent;
    this.#server = createServer((incoming, outgoing) => {
      this.#handOn(incoming, outgoing).catch(() => outgoing.destroy()); // as a connection that breaks
    });
    this.#server.on("upgrade", (incoming, socket: Socket) => {
      this.#handOnUpgrade(incoming, socket).catch(() => socket.destroy());
    });
  }

  static async open(name: string, cluster: TestCluster, { token }: { token?: string } = {}): Promise<Gateway> {
    const pki = (file: string) => readFile(join(cluster.folder, "pki", file));
    const [ca, cert, key] = await Promise.all([pki("ca.crt"), pki("admin.crt"), pki("admin.key")]);
    const view = JSON.parse(await cluster.kubectl("config", "view", "--output=json"));
    const kubeconfig = join(cluster.folder, `${name}.kubeconfig`);
    const agent = new Agent({ ca, ...(token === undefined && { cert, key }), keepAlive: true });
    const gateway = new Gateway(kubeconfig, view.clusters[0].cluster.server, agent);
    const server = `http://127.0.0.1:${await gateway.#listen()}`;
    const here = {
      clusters: [{ name: "test", cluster: { server, "insecure-skip-tls-verify": true } }],
      users: [{ name: "admin", user: { token } }],
    };
    await writeFile(kubeconfig, JSON.stringify({ ...view, ...here }));
    return gateway;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  async #listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  async #handOn(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = "GET", url = "/", headers } = incoming;
    const path = await this.onRequest(url, method);
    const onward = request(this.#apiServer + path, { agent: this.#agent, method, headers });
    outgoing.once("close", () => onward.destroy());
    const answered = once(onward, "response") as Promise<[IncomingMessage]>;
    const [[answer]] = await Promise.all([answered, pipeline(incoming, onward)]);
    const { statusCode = 502 } = answer;
    if (statusCode === 410) this.expired.push(path);
    if (statusCode === 403) this.forbidden.push(`${method} ${path}`);
    if (path.includes("watch=true"))
      answer.on("data", (event: Buffer) => event.includes('"code":410') && this.expired.push(path));
    outgoing.writeHead(statusCode, answer.headers);
    await pipeline(answer, outgoing);
  }

  /** A command in a pod: a connection that becomes a WebSocket. */
  async #handOnUpgrade({ method = "GET", url = "/", headers }: IncomingMessage, socket: Socket): Promise<void> {
    const path = await this.onRequest(url, method);
    const onward = request(this.#apiServer + path, { agent: this.#agent, method, headers });
    onward.once("response", ({ statusCode }) => {
      if (statusCode === 403) this.forbidden.push(`${method} ${path}`);
      socket.destroy();
    });
    onward.end();
    const [answer, upstream, head] = (await once(onward, "upgrade")) as [IncomingMessage, Socket, Buffer];
    const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}`);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
    socket.write(head);
    await Promise.all([pipeline(upstream, socket), pipeline(socket, upstream)]);
  }
}
