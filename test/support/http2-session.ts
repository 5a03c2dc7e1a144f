import { type ClientHttp2Session, connect } from "node:http2";
import { onTestFinished } from "vitest";
import type { TestServer } from "./test-server.ts";

/** A client's HTTP/2 connection in clear text, which may break and goes with the test. */
export function session({ url }: Pick<TestServer, "url">): ClientHttp2Session {
  const opened = connect(url);
  opened.on("error", () => undefined);
  onTestFinished(() => opened.destroy());
  return opened;
}
