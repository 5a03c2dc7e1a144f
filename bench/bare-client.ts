import { Pool } from "undici";

/** A plain HTTP client with a number of connections, which does nothing with the answers: the yardstick. */
export class BareClient {
  readonly #pool: Pool;
  readonly #token: string;

  constructor(server: string, ca: string, token: string, connections: number) {
    this.#pool = new Pool(server, { connect: { ca }, connections });
    this.#token = token;
  }

  /** Reads an answer's bytes and gives the last few of them, or all with `whole`. Throws when it is no success. */
  async send(method: "GET" | "POST" | "DELETE", path: string, body?: string): Promise<Buffer> {
    const answer = await this.#pool.request({
      method,
      path,
      body: body ?? null,
      headers: {
        authorization: `Bearer ${this.#token}`,
        "content-type": "application/json",
        accept: "application/json",
      },
    });
    if (answer.statusCode >= 300)
      throw new Error(`${method} ${path}: ${answer.statusCode} ${await answer.body.text()}`);
    return Buffer.from(await answer.body.arrayBuffer());
  }

  /** Reads a collection page by page and throws the bytes away, but for what names the next page. */
  async readPages(path: string): Promise<void> {
    for (let token = ""; ;) {
      const answer = await this.#pool.request({
        method: "GET",
        path: `${path}?limit=500${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`,
        headers: { authorization: `Bearer ${this.#token}`, accept: "application/json" },
      });
      let head = "";
      for await (const chunk of answer.body as AsyncIterable<Buffer>)
        if (head.length < 1_000) head += chunk.toString("latin1");
      if (answer.statusCode >= 300) throw new Error(`GET ${path}: ${answer.statusCode}`);
      token = /"continue":"([^"]+)"/.exec(head.slice(0, 1_000))?.[1] ?? "";
      if (token === "") return;
    }
  }

  /** An answer's lines as they come, such as a watch's events. */
  async *lines(path: string): AsyncGenerator<string> {
    const { body } = await this.#pool.request({
      method: "GET",
      path,
      headers: { authorization: `Bearer ${this.#token}`, accept: "application/json" },
    });
    let rest = "";
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
