import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { Pool } from "undici";

/** A plain HTTP client with a number of connections, which does nothing with the answers: the yardstick. */
export class BareClient {
  readonly #pool: Pool;
  readonly #token: string;

  constructor(server: string, ca: string, token: string, connections: number) {
    this.#pool = new Pool(server, { connect: { ca }, connections, allowH2: false });
    this.#token = token;
  }

  /** Asks, and gives the whole answer. Throws when it is no success. */
  async send(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: string): Promise<Buffer> {
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

  /** Reads a collection page by page and throws the bytes away. */
  async readPages(path: string): Promise<void> {
    for await (const _ of this.pages(path));
  }

  /** The same, but compresses the bytes, takes their digest, and writes them to a file. */
  async keepPages(path: string, file: string): Promise<void> {
    const digest = createHash("sha256");
    const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    compress.on("data", (chunk: Buffer) => digest.update(chunk));
    await pipeline(this.pages(path), compress, createWriteStream(file));
    digest.digest();
  }

  /** A collection's bytes as they come, page by page. */
  async *pages(path: string): AsyncGenerator<Buffer> {
    for (let token = ""; ;) {
      const { statusCode, body } = await this.#pool.request({
        method: "GET",
        path: `${path}?limit=500${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`,
        headers: { authorization: `Bearer ${this.#token}`, accept: "application/json" },
      });
      if (statusCode >= 300) throw new Error(`GET ${path}: ${statusCode} ${await body.text()}`);
      let head: string | undefined;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        head ??= chunk.toString("latin1", 0, 1_000);
        yield chunk;
      }
      token = /"continue":"([^"]+)"/.exec(head ?? "")?.[1] ?? "";
      if (token === "") return;
    }
  }

  /** An answer's lines as they come, such as a watch's events. Throws when it is no success, or takes longer than `signal` allows. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const { statusCode, body } = await this.#pool.request({
      method: "GET",
      path,
      headers: { authorization: `Bearer ${this.#token}`, accept: "application/json" },
      signal,
    });
    if (statusCode >= 300) throw new Error(`GET ${path}: ${statusCode} ${await body.text()}`);
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
