import { once } from "node:events";

interface Reply {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Asks a process about its memory, by Node's inspector: https://chromedevtools.github.io/devtools-protocol/v8/ */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #asked = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    });
  }

  static async open(url: string): Promise<Inspector> {
    const socket = new WebSocket(url);
    await once(socket, "open");
    return new Inspector(socket);
  }

  /** The bytes that it really holds: the least of several looks, each after all garbage was collected. */
  async liveMemory(): Promise<number> {
    const looks: number[] = [];
    for (let look = 0; look < 5; look += 1) {
      // What is closed is let go of in a turn of its own.
      await this.#ask("HeapProfiler.collectGarbage");
      const expression = "{ const { heapUsed, external } = process.memoryUsage(); heapUsed + external; }";
      const { result } = (await this.#ask("Runtime.evaluate", { expression })) as { result: { value: number } };
      looks.push(result.value);
    }
    return Math.min(...looks);
  }

  close(): void {
    this.#socket.close();
  }

  async #ask(method: string, params: object = {}): Promise<unknown> {
    const id = (this.#asked += 1);
    const { result, error } = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }
}
