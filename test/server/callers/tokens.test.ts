import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ClusterAuth } from "../../../engine/cluster-auth.ts";
import { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { silentLogger } from "../../../engine/logger.ts";
import { openCallers } from "../../../server/callers/open-callers.ts";
import { readConfig } from "../../../server/settings/config.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { clientOf, protocols } from "../../support/protocols.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

const nightly = { username: "system:serviceaccount:ops:nightly", groups: ["system:serviceaccounts:ops"] };

const warn = vi.fn<(fields: object, text: string) => void>();
let engine: FakeEngine;
let running: TestServer;
beforeEach(async () => {
  engine = new FakeEngine();
  engine.auth = {
    authenticateToken: async (token, audiences) =>
      token === "good" && audiences.includes("drs") ? nightly : undefined,
    isAllowed: async () => false,
  };
  const { callers: config } = readConfig(["--token-review-audiences=other,drs", "--rights=all"]);
  const callers = await openCallers(config, silentLogger, () => engine.auth);
  warn.mockReset();
  running = await startTestServer(engine, { callers, log: { ...silentLogger, warn } });
});
afterEach(() => running.server.close());

describe.each(protocols)("over %s", (protocol) => {
  const listWith = (authorization: string) => clientOf(protocol, running.url, { authorization })("listBackups", {});

  test.each(["Bearer good", "bearer  good", "good"])("a token that the cluster knows is taken: %s", async (header) => {
    await clientOf(protocol, running.url, { authorization: header })("createBackup", {});
    expect(engine.callers).toEqual([{ name: nightly.username, requestId: "" }]);
  });

  test.each(["Bearer bad", "bad", "Bearer"])(
    "a token that the cluster does not know is refused: %s",
    async (header) => {
      await expect(listWith(header)).rejects.toMatchObject({
        code: "UNAUTHENTICATED",
        message: expect.stringContaining("the bearer token is not valid here"),
      });
    },
  );

  test.each(["Basic Z29vZDo=", "Bearer good good", ""])("what is no token is none: %j", async (header) => {
    await expect(listWith(header)).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringContaining("send a bearer token"),
    });
  });
});

test("a cluster that does not answer is no refusal, on any protocol, and the log has no token", async () => {
  const cluster = await Cluster.open({ server: "http://127.0.0.1:1" }, 1);
  engine.auth = new ClusterAuth(cluster, () => new Date());
  const answers = protocols.map((protocol) =>
    clientOf(protocol, running.url, { authorization: "Bearer of-a-secret" })("listBackups", {}),
  );
  for (const answer of await Promise.allSettled(answers)) {
    expect(answer).toMatchObject({
      reason: { message: "UNAVAILABLE: the cluster cannot be asked about the caller: try again later" },
    });
  }
  expect(warn).toHaveBeenCalledTimes(protocols.length);
  expect(inspect(warn.mock.calls, { depth: null, showHidden: true })).not.toContain("of-a-secret");
  await cluster.close();
});

test.each([
  ["good", 200],
  ["bad", 401],
])("the JSON paths answer a %s token with %i", async (authorization, status) => {
  expect(await post(running.url, "/api/v1/drscp/listBackups", { headers: { authorization } })).toMatchObject({
    status,
  });
});
