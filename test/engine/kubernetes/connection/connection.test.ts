import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { DrsError } from "../../../../engine/errors.ts";
import type { Cluster } from "../../../../engine/kubernetes/cluster.ts";
import { type ClusterAddress, Connection } from "../../../../engine/kubernetes/connection/connection.ts";
import { lacksRights } from "../../../../engine/kubernetes/kubernetes-error.ts";
import { temporaryFolder } from "../../store/temporary-store.ts";
import { apiServer, breakOff, configMaps, noSignal, reply, status } from "../api-server.ts";

const object = { metadata: { name: "a", namespace: "n", uid: "u" } };

test("a request that is told to wait is sent again, and not before the time it was told", async () => {
  const { cluster, asked } = await apiServer((_, response, count) => {
    if (count === 1) reply(response, 503, "");
    else if (count === 2) reply(response, 429, status(429, "TooManyRequests", "slow down"), { "retry-after": "1" });
    else reply(response, 200, object);
  });
  const started = performance.now();
  expect(await cluster.get(configMaps, "n", "a", noSignal)).toEqual(object);
  expect(performance.now() - started).toBeGreaterThan(1_000);
  expect(asked).toHaveLength(3);
});

test("what etcd did not do in time is sent again, what a webhook does not answer is not", async () => {
  const late = status(500, "InternalError", "etcdserver: request timed out");
  const { cluster, asked } = await apiServer((_, response, count) =>
    count < 3 ? reply(response, 500, late) : reply(response, 201, object),
  );
  await cluster.create(configMaps, "n", object, noSignal);
  expect(asked).toHaveLength(3);

  const silent = status(500, "InternalError", 'failed calling webhook "a.example.com": connection refused');
  const other = await apiServer((_, response) => reply(response, 500, silent));
  await expect(other.cluster.create(configMaps, "n", object, noSignal)).rejects.toMatchObject({ code: "INTERNAL" });
  expect(other.asked).toHaveLength(1);
});

test("a conflict of a write that asks for no version is sent again, of one that does it is reported at once", async () => {
  const conflict = status(409, "Conflict", "the object has been modified");
  const once = () =>
    apiServer((_, response, count) => (count === 1 ? reply(response, 409, conflict) : reply(response, 200, object)));
  const patch = { metadata: { labels: { a: "b" } } };
  for (const write of [
    (cluster: Cluster) => cluster.create(configMaps, "n", object, noSignal),
    (cluster: Cluster) => cluster.patch(configMaps, "n", "a", patch, noSignal),
    (cluster: Cluster) => cluster.delete(configMaps, "n", "a", noSignal),
  ]) {
    const { cluster, asked } = await once();
    await write(cluster);
    expect(asked).toHaveLength(2);
  }
  for (const write of [
    (cluster: Cluster) => cluster.replace(configMaps, "n", object, noSignal),
    (cluster: Cluster) => cluster.patch(configMaps, "n", "a", { metadata: { resourceVersion: "1" } }, noSignal),
  ]) {
    const { cluster, asked } = await once();
    await expect(write(cluster)).rejects.toMatchObject({ code: "FAILED_PRECONDITION", status: 409 });
    expect(asked).toHaveLength(1);
  }
});

test("a connection that is closed, or breaks in the middle of an answer, is tried again", async () => {
  const { cluster } = await apiServer((_, response, count) => {
    if (count === 1) response.destroy();
    else if (count === 2) breakOff(response, JSON.stringify(object), 20);
    else reply(response, 200, object);
  });
  expect(await cluster.get(configMaps, "n", "a", noSignal)).toEqual(object);
});

test("requests of every kind leave their connection open for the next ones", async () => {
  const { cluster, asked, connections } = await apiServer((_, response) => reply(response, 200, object));
  for (let round = 0; round < 10; round++) {
    await cluster.get(configMaps, "n", "a", noSignal);
    await cluster.create(configMaps, "n", object, noSignal);
    await cluster.patch(configMaps, "n", "a", {}, noSignal);
    await cluster.delete(configMaps, "n", "a", noSignal);
  }
  expect(asked).toHaveLength(40);
  expect(connections.size).toBeLessThan(5); // no more than may ask at once
});

test("a write asks right before it is sent, also when it has waited for a connection, and is not sent when it may not", async () => {
  let mayGo = true;
  const asking = () => {
    if (!mayGo) throw new DrsError("UNAVAILABLE", "the lease has run out");
  };
  const { cluster, asked } = await apiServer(
    (_, response) => void setTimeout(() => reply(response, 200, object), 100),
    1,
    { around: (_, write) => write(), mayGo: asking },
  );
  const first = cluster.patch(configMaps, "n", "a", {}, noSignal);
  const second = cluster.patch(configMaps, "n", "a", {}, noSignal);
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  mayGo = false;
  await first;
  await expect(second).rejects.toThrow("the lease has run out");
  expect(await cluster.get(configMaps, "n", "a", noSignal)).toEqual(object);
  expect(asked.map(({ method }) => method)).toEqual(["PATCH", "GET"]);
});

test("a refusal is reported at once, with its own code, and is not tried again", async () => {
  for (const [code, reason, expected, words = "no, sir"] of [
    [400, "BadRequest", "INVALID_ARGUMENT"],
    [401, "Unauthorized", "PERMISSION_DENIED"],
    [403, "Forbidden", "FAILED_PRECONDITION"],
    [403, "Forbidden", "PERMISSION_DENIED", 'configmaps is forbidden: User "drs" cannot create resource "configmaps"'],
    [409, "AlreadyExists", "ALREADY_EXISTS"],
    [422, "Invalid", "INVALID_ARGUMENT"],
  ] as const) {
    const { cluster, asked } = await apiServer((_, response) => reply(response, code, status(code, reason, words)));
    await expect(cluster.create(configMaps, "n", object, noSignal)).rejects.toMatchObject({
      code: expected,
      status: code,
      reason,
      message: expect.stringContaining("POST /api/v1/namespaces/n/configmaps: the API server answered"),
    });
    expect(asked).toHaveLength(1);
  }
});

test("what is wrong with a secret is reported without a word of what it holds", async () => {
  const secrets = { apiVersion: "v1", resource: "secrets" };
  const hidden = "aHVudGVyMg==";
  const bodies = [
    status(422, "Invalid", `Secret "s" is invalid: data[key]: Invalid value: "${hidden}"`, {
      details: { causes: [{ reason: "FieldValueInvalid", field: "data[key]", message: `Invalid value: "${hidden}"` }] },
    }),
    `proxy says: cannot forward ${hidden}`,
  ];
  for (const body of bodies) {
    const { cluster } = await apiServer((_, response) => reply(response, 422, body));
    for (const ask of [
      () => cluster.create(secrets, "n", { metadata: { name: "s" } }, noSignal),
      () => cluster.replace(secrets, "n", { metadata: { name: "s" } }, noSignal),
      () => cluster.patch(secrets, "n", "s", {}, noSignal),
      () => cluster.dryRun.create(secrets, "n", { metadata: { name: "s" } }, noSignal),
    ]) {
      const error = await ask().catch((error: unknown) => error as Error);
      const { message } = error as Error;
      expect(JSON.stringify([error, message])).not.toContain(hidden);
      expect(message).toMatch(typeof body === "string" ? /answered 422 $/ : /Invalid, FieldValueInvalid data\[key\]$/);
    }
  }
});

test("a right on secrets that is missing is reported in the authorizer's words, which hold no value", async () => {
  const words =
    'secrets is forbidden: User "drs" cannot delete resource "secrets" in API group "" in the namespace "n"';
  const { cluster } = await apiServer((_, response) => reply(response, 403, status(403, "Forbidden", words)));
  const error = await cluster
    .delete({ apiVersion: "v1", resource: "secrets" }, "n", "a", noSignal)
    .catch((error: unknown) => error as Error);
  expect((error as Error).message).toContain(words);
  expect(lacksRights(error)).toBe(true);
});

test("a deletion of what is gone, or is another object by now, is no error", async () => {
  const { cluster, asked } = await apiServer((_, response, count) =>
    reply(response, count === 1 ? 404 : 409, status(count === 1 ? 404 : 409, "Whatever", "")),
  );
  await cluster.delete(configMaps, "n", "a", noSignal);
  await cluster.delete(configMaps, "n", "a", noSignal, { uid: "u" });
  expect(JSON.parse(asked[1]?.body ?? "")).toMatchObject({
    preconditions: { uid: "u" },
    propagationPolicy: "Background",
  });
});

test("a request ends when it is called off while it is under way", async () => {
  const { cluster, asked } = await apiServer(() => {});
  const calling = new AbortController();
  const answer = cluster.get(configMaps, "n", "a", calling.signal);
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  calling.abort(new Error("called off"));
  await expect(answer).rejects.toThrow("called off");
});

test("a request ends when it is called off while it waits to be sent again", async () => {
  const { cluster, asked } = await apiServer((_, response, count) => {
    if (count === 1) reply(response, 429, "", { "retry-after": "30" });
    else reply(response, 200, object);
  }, 1);
  const calling = new AbortController();
  const answer = cluster.get(configMaps, "n", "a", calling.signal);
  // There is one connection, so the answer to the first has been read by then.
  await cluster.get(configMaps, "n", "a", noSignal);
  calling.abort(new Error("called off"));
  await expect(answer).rejects.toMatchObject({ name: "AbortError", cause: { message: "called off" } });
  expect(asked).toHaveLength(2);
});

/** A kubeconfig of one context, whose cluster is at the address. */
async function kubeconfig(server: string, more: object = {}): Promise<string> {
  const file = join(temporaryFolder(), "kubeconfig");
  const content = {
    "current-context": "home",
    contexts: [{ name: "home", context: { cluster: "house", user: "me" } }],
    clusters: [{ name: "house", cluster: { server } }],
    users: [{ name: "me", user: {} }],
  };
  await writeFile(file, JSON.stringify({ ...content, ...more }));
  return file;
}

/** Why it is not opened. */
async function refusal(address: ClusterAddress): Promise<string> {
  const error = await Connection.open(address, 1).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "FAILED_PRECONDITION" });
  return (error as DrsError).message;
}

describe("what names no cluster that can be used is refused, with what to do:", () => {
  afterEach(() => vi.unstubAllEnvs());

  test("no kubeconfig, and no pod's account", async () => {
    vi.stubEnv("KUBECONFIG", undefined);
    vi.stubEnv("HOME", temporaryFolder());
    const message = "no cluster was found: give --kubeconfig, set KUBECONFIG, or try --cluster simulated";
    expect(await refusal({})).toBe(message);
    expect(await refusal({ context: "home" })).toBe(message);
  });

  test("a kubeconfig that is not there", async () => {
    const file = join(temporaryFolder(), "kubeconfig");
    vi.stubEnv("KUBECONFIG", file);
    expect(await refusal({})).toMatch(/the kubeconfig of KUBECONFIG or .* cannot be read: Error: ENOENT.*drs-/);
  });

  test("a context that it does not have, or none", async () => {
    const file = await kubeconfig("https://127.0.0.1:1");
    expect(await refusal({ kubeconfig: file, context: "work" })).toBe(
      `the kubeconfig ${file} has no context work: there are home`,
    );
    vi.stubEnv("KUBECONFIG", file);
    expect(await refusal({ context: "work" })).toBe(
      "the kubeconfig of KUBECONFIG or ~/.kube/config has no context work: there are home",
    );
    const without = await kubeconfig("https://127.0.0.1:1", { "current-context": "" });
    const noCluster = `the kubeconfig ${without} names no cluster: set its current-context, or --kube-context`;
    expect(await refusal({ kubeconfig: without })).toBe(noCluster);
  });

  test("a cluster in clear text, unless it says that it is meant", async () => {
    const clear = "http://127.0.0.1:1";
    const file = await kubeconfig(clear);
    const what = `the cluster house of the kubeconfig ${file} is at ${clear}`;
    expect(await refusal({ kubeconfig: file })).toBe(
      `${what}, where anyone on the network can read along: give it an https:// address`,
    );
    const clusters = [{ name: "house", cluster: { server: clear, "insecure-skip-tls-verify": true } }];
    const connection = await Connection.open({ kubeconfig: await kubeconfig(clear, { clusters }) }, 1);
    await connection.close();
  });
});
