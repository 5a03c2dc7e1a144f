import { mkdtemp, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { silentLogger } from "../../../engine/logger.ts";
import { openCallers, type OpenCallers } from "../../../server/callers/open-callers.ts";
import { signedHeaders, signingKey, type SigningKey, type Variation } from "../../support/cdp-signer.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { knownClients } from "../../support/known-clients.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

const ed25519 = signingKey("ed25519v1", "9b2cbd4d-5b0d-4d0e-b7c5-2f6f6c3f0a11");
const rsa = signingKey("rsav1", "9b2cbd4d-5b0d-4d0e-b7c5-2f6f6c3f0a12");
const ecdsa = signingKey("ecdsav1", "9b2cbd4d-5b0d-4d0e-b7c5-2f6f6c3f0a13");
const path = "/api/v1/drscp/createBackup";

function entry({ id, method, publicKey }: SigningKey) {
  return { id, user: `user of ${method}`, groups: ["operators"], method, publicKey };
}

function keyFile(...keys: object[]): string {
  return JSON.stringify({ keys });
}

let engine: FakeEngine;
let running: TestServer;
let callers: OpenCallers | undefined;
let folder: string;
let accessKeysFile: string;
const error = vi.fn<(fields: object, text: string) => void>();
const warn = vi.fn<(fields: object, text: string) => void>();
beforeEach(async () => {
  engine = new FakeEngine();
  error.mockReset();
  warn.mockReset();
  folder = await mkdtemp(join(tmpdir(), "access-keys-"));
  // As a Secret's mount has it: a link to a file behind a link to a folder.
  await mkdir(join(folder, "first"));
  await writeFile(join(folder, "first", "keys.json"), keyFile(entry(ed25519), entry(rsa), entry(ecdsa)));
  await symlink("first", join(folder, "..data"));
  accessKeysFile = join(folder, "keys.json");
  await symlink("..data/keys.json", accessKeysFile);
  await start();
});
afterEach(async () => {
  await stop();
  await rm(folder, { recursive: true });
});

async function start(pathPrefix = ""): Promise<void> {
  const signatures = { accessKeysFile, window: 300_000, pathPrefix };
  callers = await openCallers({ clientCertificates: false, signatures }, { ...silentLogger, error }, () => engine.auth);
  running = await startTestServer(engine, { callers, pathPrefix, log: { ...silentLogger, warn } });
}

async function stop(): Promise<void> {
  await running.server.close();
  callers?.close();
}

function signs(key: SigningKey, variation: Variation = {}) {
  return { headers: (path: string, contentType: string) => signedHeaders(key, path, contentType, variation) };
}

/** The status of a request as `cdp` sends it. */
async function status(key: SigningKey, variation: Variation = {}, asked = path): Promise<number> {
  const reply = await post(running.url, asked, { headers: signedHeaders(key, asked, "application/json", variation) });
  return reply.status;
}

function ago(milliseconds: number): string {
  return new Date(Date.now() - milliseconds).toUTCString();
}

test.each([ed25519, rsa, ecdsa])("$method proves the user of the access key", async (key) => {
  for (const call of knownClients(running.url, signs(key))) {
    await call("createBackup", {});
    expect(engine.callers.at(-1)?.name).toBe(`user of ${key.method}`);
  }
});

test("base64 without padding and a day without a zero are signed as they are sent", async () => {
  expect(await status(rsa, { unpadded: true })).toBe(200);
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 3, 17, 29, 44), toFake: ["Date"] });
  try {
    expect(await status(ed25519, { date: "Tue, 3 Nov 2026 17:29:40 GMT" })).toBe(200);
    expect(await status(ed25519, { date: "Tue, 03 Nov 2026 17:29:40 GMT" })).toBe(200);
  } finally {
    vi.useRealTimers();
  }
});

test("a content type with a charset is signed as it is sent", async () => {
  const type = "application/json;  charset=UTF-8";
  const headers = { "Content-Type": type, ...signedHeaders(ed25519, path, type) };
  expect((await post(running.url, path, { headers })).status).toBe(200);
  expect((await post(running.url, path, { headers: { ...headers, "Content-Type": "application/json" } })).status).toBe(
    401,
  );
});

test("an unknown key and a wrong signature are answered alike", async () => {
  const stranger = signingKey("ed25519v1", "9b2cbd4d-5b0d-4d0e-b7c5-2f6f6c3f0a14");
  const message = "the access key is not known or the signature is wrong";
  for (const credentials of [
    signs(stranger),
    signs(stranger, { id: ed25519.id }),
    signs(ed25519, { path: "/api/v1/drscp/listBackups" }),
    signs(ed25519, { authMethod: "rsav1" }),
    signs(ed25519, { authMethod: "none" }),
    signs(ed25519, { id: "__proto__" }),
  ]) {
    for (const call of knownClients(running.url, credentials)) {
      await expect(call("createBackup", {})).rejects.toMatchObject({
        code: "UNAUTHENTICATED",
        message: expect.stringContaining(message),
      });
    }
  }
  expect(engine.callers).toEqual([]);
  // The log does distinguish them.
  const reasons = warn.mock.calls.map(([fields]) => (fields as { err: { cause: Error } }).err.cause.message);
  expect(reasons[0]).toBe(`access key ${stranger.id}: no such key of this method`);
  expect(reasons[4]).toBe(`access key ${ed25519.id}: wrong signature`);
});

test.each([ed25519, rsa, ecdsa])("bytes that are no signature of $method are a wrong one", async (key) => {
  for (const signature of ["c2ln", Buffer.alloc(600, 0x30).toString("base64url")]) {
    const [parameters] = signedHeaders(key, path, "application/json")["x-altus-auth"].split(".");
    const reply = await post(running.url, path, { headers: { "x-altus-auth": `${parameters}.${signature}` } });
    expect(reply.status).toBe(401);
    expect(reply.body).toContain("the access key is not known or the signature is wrong");
  }
});

test.each([
  ["rubbish"],
  ["a.b.c"],
  ["bnVsbA.c2ln"], // null
  ["e30.c2ln"], // {}
  ["eyJhY2Nlc3Nfa2V5X2lkIjoxfQ.c2ln"], // {"access_key_id":1}
])("x-altus-auth is refused: %s", async (auth) => {
  const reply = await post(running.url, path, { headers: { "x-altus-auth": auth } });
  expect(reply.status).toBe(401);
  expect(reply.body).toContain("x-altus-auth is not");
});

describe("the date", () => {
  test("may be up to the window away, before and after", async () => {
    expect(await status(ed25519, { date: ago(295_000) })).toBe(200);
    expect(await status(ed25519, { date: ago(-295_000) })).toBe(200);
    for (const off of [305_000, -305_000]) {
      const reply = await post(running.url, path, {
        headers: signedHeaders(ed25519, path, "application/json", { date: ago(off) }),
      });
      expect(reply.status).toBe(401);
      expect(reply.body).toContain("set the client's clock");
    }
  });

  test.each([
    "",
    "yesterday",
    "2026-11-23T17:29:44Z",
    "Mon, 23 Nov 2026 17:29:44 CET",
    "Mon, 99 Nov 2026 17:29:44 GMT",
  ])("is refused: %s", async (date) => {
    const reply = await post(running.url, path, {
      headers: signedHeaders(ed25519, path, "application/json", { date }),
    });
    expect(reply.status).toBe(401);
    expect(reply.body).toContain("x-altus-date is not a date");
  });
});

test("a client's retry carries the same signature, is taken, and known as the same user's", async () => {
  const headers = signedHeaders(ed25519, path, "application/json");
  for (let attempt = 0; attempt < 3; attempt++) {
    expect((await post(running.url, path, { headers: { ...headers, "x-request-id": "r-1" } })).status).toBe(200);
  }
  expect(engine.callers).toEqual(Array.from({ length: 3 }, () => ({ name: "user of ed25519v1", requestId: "r-1" })));
});

describe("with a path prefix", () => {
  beforeEach(async () => {
    await stop();
    await start("/drs");
  });

  test.each([
    ["a proxy that takes it away", path, `/drs${path}`],
    ["a proxy that leaves it", `/drs${path}`, `/drs${path}`],
    ["no proxy", path, path],
  ])("works through %s", async (_name, asked, signed) => {
    expect(await status(ed25519, { path: signed }, asked)).toBe(200);
  });

  test("another prefix, and another path, are not taken", async () => {
    expect(await status(ed25519, { path: `/other${path}` })).toBe(401);
    expect(await status(ed25519, {}, `/drsx${path}`)).toBe(404);
    expect(await status(ed25519, { path: "/drs/api/v1/drscp/listBackups" })).toBe(401);
  });
});

/** Swaps the link to the folder, as the kubelet does. */
async function swap(name: string, content: string): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, "keys.json"), content);
  await symlink(name, join(folder, "..data_tmp"));
  await rename(join(folder, "..data_tmp"), join(folder, "..data"));
}

describe("the file of access keys", () => {
  const soon = { timeout: 20_000, interval: 100 };

  test("is read again when it changes, and a broken one leaves the keys as they are, until it is whole", async () => {
    await swap("second", keyFile(entry(rsa)));
    await vi.waitFor(async () => expect(await status(ed25519)).toBe(401), soon);
    expect(await status(rsa)).toBe(200);

    await swap("third", keyFile(entry(ed25519)).slice(0, -10));
    await vi.waitFor(() => expect(error).toHaveBeenCalledOnce(), soon);
    expect(await status(rsa)).toBe(200);

    await swap("fourth", keyFile(entry(ed25519)));
    await vi.waitFor(async () => expect(await status(ed25519)).toBe(200), soon);
    expect(await status(rsa)).toBe(401);
    expect(error).toHaveBeenCalledOnce();
  });

  test("that is gone for a while leaves the keys as they are", async () => {
    await rm(join(folder, "..data"));
    await vi.waitFor(() => expect(error).toHaveBeenCalledOnce(), soon);
    expect(await status(rsa)).toBe(200);
    await symlink("first", join(folder, "..data"));
    expect(await status(rsa)).toBe(200);
  });

  const good = entry(rsa);
  test.each([
    ["no JSON", "{", "is not JSON"],
    ["no list", "[]", "keys is not a list"],
    ["a key twice", keyFile(good, good), `keys[1]: there is another key ${rsa.id}`],
    ["no user", keyFile({ ...good, user: "" }), "keys[0].user is empty"],
    ["a member too many", keyFile({ ...good, group: "x" }), 'keys[0] has an unknown member "group"'],
    ["groups that are none", keyFile({ ...good, groups: "operators" }), "keys[0].groups is not a list"],
    [
      "an unknown method",
      keyFile({ ...good, method: "toString" }),
      'keys[0].method is "toString"; allowed are ed25519v1, rsav1, ecdsav1',
    ],
    ["a key of another kind", keyFile({ ...good, method: "ecdsav1" }), "publicKey is rsa, and ecdsav1 needs ec"],
    ["a key that is none", keyFile({ ...good, publicKey: "c2hvcnQ=" }), "neither PEM nor 32 bytes in base64"],
    [
      "a private key",
      keyFile({ ...good, publicKey: rsa.privateKey.export({ type: "pkcs8", format: "pem" }) }),
      "publicKey is a private key",
    ],
  ])("stops the start, named with its key: %s", async (_name, content, message) => {
    const accessKeysFile = join(folder, "other.json");
    await writeFile(accessKeysFile, content);
    const signatures = { accessKeysFile, window: 300_000, pathPrefix: "" };
    await expect(
      openCallers({ clientCertificates: false, signatures }, silentLogger, () => engine.auth),
    ).rejects.toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  });
});
