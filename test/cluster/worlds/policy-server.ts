import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const tls = join(import.meta.dirname, "../../support/tls");

/** What a webhook says to each request: a refusal with this code, an error, nothing, or that all is well. */
export type Answer = 403 | 422 | 500 | "time-out" | "allow";

/** The webhooks of all worlds, in this process: each has a URL of its own and an answer that may change. */
export class PolicyServer {
  readonly #answers = new Map<string, Answer>();
  readonly #server;
  readonly #certificate: Buffer;

  private constructor(key: Buffer, certificate: Buffer) {
    this.#certificate = certificate;
    this.#server = createServer(
      { key, cert: certificate },
      (request, response) => void this.#answer(request, response),
    );
  }

  static async start(): Promise<PolicyServer> {
    const [key, certificate] = await Promise.all([
      readFile(join(tls, "key.pem")),
      readFile(join(tls, "certificate.pem")),
    ]);
    const server = new PolicyServer(key, certificate);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** Lets the webhook of this name answer so from now on, and gives what its configuration says of where it is. */
  answer(name: string, answer: Answer): object {
    this.#answers.set(name, answer);
    const { port } = this.#server.address() as AddressInfo;
    return { url: `https://localhost:${port}/${name}`, caBundle: this.#certificate.toString("base64") };
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = this.#answers.get((request.url ?? "").split(/[/?]/)[1] ?? "") ?? "allow";
    const { request: asked } = JSON.parse(await text(request)) as { request: { uid: string } };
    if (answer === "time-out") return; // the API server closes the connection
    response.statusCode = answer === 500 ? 500 : 200;
    response.setHeader("content-type", "application/json");
    const refusal = { allowed: false, status: { code: answer, message: "not by the rules of this house" } };
    const verdict = { uid: asked.uid, ...(answer === "allow" ? { allowed: true } : refusal) };
    response.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: verdict }));
  }
}
