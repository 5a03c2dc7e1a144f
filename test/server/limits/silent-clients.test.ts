import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { memoryInUse } from "../../support/memory-in-use.ts";
import { certificate, startTestServer } from "../../support/test-server.ts";

const clients = 500;
const rounds = 10;

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
