import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { certificate, startTestServer } from "../../support/test-server.ts";

const clients = 500;
const rounds = 10;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes that are in use once nobody talks any more. */
async function memoryInUse(): Promise<number> {
  let least = Infinity;
  for (let look = 0; look < 10; look += 1) {
    await turn();
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external);
  }
  return least;
}

async function silent(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

test.each(["url", "tlsUrl"] as const)(
  "500 clients that say nothing leave the memory as it is, at the %s",
  async (url) => {
    const running = await startTestServer(new FakeEngine());
    onTestFinished(() => running.server.close());
    const memory: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const sockets = await Promise.all(Array.from({ length: clients }, () => silent(running[url])));
      expect((await post(running[url], "/api/v1/drscp/listBackups", { ca: certificate })).status).toBe(200);
      const closed = sockets.map((socket) => once(socket, "close"));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
      memory.push(await memoryInUse());
    }
    // 5,000 connections that left no more than 200 bytes each; the first rounds fill what is filled once.
    const early = Math.max(...memory.slice(0, 3));
    expect(memory.at(-1)).toBeLessThan(early + 1_000_000);
  },
);
