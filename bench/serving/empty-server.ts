import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A Node server over TLS that does nothing: the least that a service can be. */
const pem = (name: string) => readFileSync(new URL(`../../test/support/tls/${name}.pem`, import.meta.url));
const server = createServer({ cert: pem("certificate"), key: pem("key") }, (_request, response) => response.end());
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ msg: "listening", cleartext: { port } })}\n`);
});
