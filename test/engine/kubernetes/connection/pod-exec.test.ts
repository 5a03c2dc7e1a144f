import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { Cluster } from "../../../../engine/kubernetes/cluster.ts";
import { StillRunningError } from "../../../../engine/kubernetes/connection/pod-exec.ts";
import { noSignal } from "../api-server.ts";

type Answer = (socket: Duplex, key: string) => void;

/** Runs a command on an API server that answers the connection to the pod as a test says. */
async function exec(answer: Answer, timeoutMs = 5_000): Promise<string> {
  const server = createServer();
  server.on("upgrade", (request, socket: Duplex) => answer(socket, String(request.headers["sec-websocket-key"])));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const cluster = await Cluster.open({ server: `http://127.0.0.1:${port}` }, 1);
  onTestFinished(() => cluster.close());
  const command = { namespace: "cdp", pod: "db-0", container: "db", command: ["freeze"], timeoutMs };
  return cluster.exec(command, noSignal);
}

const refuse =
  (status: string): Answer =>
  (socket) =>
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);

/** Takes the connection, as the pod's node does when it has begun the command. */
function begin(socket: Duplex, key: string): void {
  const accepted = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accepted}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n`,
  );
}

/** The sign of a command's end: a binary frame on the status stream. */
function end(socket: Duplex, status: object): void {
  const text = Buffer.concat([Buffer.from([3]), Buffer.from(JSON.stringify(status))]);
  socket.write(Buffer.concat([Buffer.from([0x82, text.length]), text]));
}

test("a command's own failure is distinguished from an API server or node that does not answer", async () => {
  await expect(
    exec((socket, key) => {
      begin(socket, key);
      end(socket, { status: "Failure", message: "exit code 3" });
    }),
  ).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "the command in db of pod cdp/db-0 failed: exit code 3",
  });
  for (const status of ["403 Forbidden", "404 Not Found", "400 Bad Request"])
    await expect(exec(refuse(status))).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  for (const answer of [
    refuse("500 Internal Server Error"),
    refuse("503 No"),
    refuse("429 Wait"),
    (s: Duplex) => s.destroy(),
  ])
    await expect(exec(answer)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("could not be started: "),
    });
  await expect(exec(() => {}, 100)).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("of a command whose end was not seen it is said that it may still run", async () => {
  const late = exec(begin, 100).catch((error: unknown) => error);
  expect(await late).toBeInstanceOf(StillRunningError);
  expect(await late).toMatchObject({
    code: "FAILED_PRECONDITION",
    message: /did not end within 0.1 s, and may still run/,
  });
  const broken = exec((socket, key) => {
    begin(socket, key);
    setTimeout(() => socket.destroy(), 50);
  }).catch((error: unknown) => error);
  expect(await broken).toBeInstanceOf(StillRunningError);
  expect(await broken).toMatchObject({ code: "UNAVAILABLE" });
});
