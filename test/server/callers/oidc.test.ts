import { generateKeyPair } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bearerTokens } from "../../../server/callers/bearer-token.ts";
import { Oidc, type OidcConfig } from "../../../server/callers/oidc.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { clientOf, protocols, type Protocol } from "../../support/protocols.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";
import { TokenIssuer } from "../../support/token-issuer.ts";

let issuer: TokenIssuer;
let engine: FakeEngine;
let running: TestServer | undefined;
beforeEach(async () => {
  issuer = await TokenIssuer.start();
  engine = new FakeEngine();
});
afterEach(async () => {
  await running?.server.close();
  running = undefined;
  await issuer.stop();
});

/** The server with the issuer's tokens, and a call that carries one; it gives the caller's name. */
async function serve(changes: Partial<OidcConfig> = {}, options: { keysCooldown?: number } = {}) {
  const config: OidcConfig = {
    issuer: issuer.url,
    audiences: ["other", issuer.audience],
    jwksUrl: undefined,
    nameClaim: "sub",
    groupsClaim: "groups",
    prefix: "oidc:",
    ...changes,
  };
  const oidc = new Oidc(config, options);
  const { url } = (running = await startTestServer(engine, { callers: { authenticators: [bearerTokens([oidc])] } }));
  const call = async (token: string, protocol: Protocol = "JSON") => {
    await clientOf(protocol, url, { authorization: `Bearer ${token}` })("createBackup", {});
    return engine.callers.at(-1)?.name;
  };
  return { oidc, call };
}

describe.each(protocols)("over %s", (protocol) => {
  test("a token of the issuer is taken, one that is not good is refused, and why is told to its holder", async () => {
    const { call } = await serve();
    expect(await call(await issuer.token(), protocol)).toBe("oidc:alice");
    await expect(call(await issuer.token({ exp: 1 }), protocol)).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringContaining("the bearer token has expired: get a new one"),
    });
  });

  test("an issuer that does not answer is no refusal, and is asked again", async () => {
    const token = await issuer.token();
    const { call } = await serve({ jwksUrl: `${issuer.url}/not-there` });
    await expect(call(token, protocol)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("the token issuer's keys cannot be fetched: try again later"),
    });
  });
});

test("name and groups come from the claims that are set, with the prefix before them", async () => {
  const { oidc } = await serve({ nameClaim: "email", groupsClaim: "roles", prefix: "corp/" });
  const verify = async (claims: object) => oidc.verify(await issuer.token(claims as never));
  const email = "alice@example.com";
  expect(await verify({ email, roles: ["a", "b", 3] })).toEqual({
    name: `corp/${email}`,
    groups: ["corp/a", "corp/b"],
  });
  expect(await verify({ email, roles: "a" })).toEqual({ name: `corp/${email}`, groups: ["corp/a"] });
  expect(await verify({ email })).toEqual({ name: `corp/${email}`, groups: [] });
  await expect(verify({ email, email_verified: false })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  await expect(verify({})).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  await expect(verify({ email: 7 })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});

describe("refuses", () => {
  const strange = "the bearer token is not valid here: get a new one for this service";
  test.each<[string, () => string | Promise<string>, string | RegExp]>([
    ["another issuer", () => issuer.token({ iss: "https://issuer.example" }), strange],
    ["another audience", () => issuer.token({ aud: "elsewhere" }), /not for this service.*"aud"/],
    ["no audience", () => issuer.token({ aud: undefined as never }), /not for this service.*"aud"/],
    ["one that has expired", () => issuer.token({ exp: Date.now() / 1_000 - 60 }), /has expired/],
    ["one that never expires", () => issuer.token({ exp: undefined as never }), /not for this service.*"exp"/],
    ["one that is not valid yet", () => issuer.token({ nbf: Date.now() / 1_000 + 60 }), /not for this service.*"nbf"/],
    ["one without signature", () => issuer.unsigned(), strange],
    ["one signed with the public key as a secret", () => issuer.signedWithPublicKey(), strange],
    ["one of an unknown key", () => issuer.token({}, { keyId: "unknown" }), strange],
    [
      "one of another key under the issuer's key's name",
      async () => issuer.token({}, { key: (await generateKeyPair("ES256")).privateKey }),
      strange,
    ],
    ["one that was changed", async () => changed(await issuer.token()), strange],
    ["no JWT", () => "abc.def.ghi", strange],
  ])("%s", async (_name, token, message) => {
    const { call } = await serve();
    await expect(call(await token())).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringMatching(message),
    });
    expect(engine.callers).toEqual([]);
  });
});

test("a clock that is a little off does no harm", async () => {
  const { call } = await serve();
  const now = Math.floor(Date.now() / 1_000);
  expect(await call(await issuer.token({ exp: now - 10 }))).toBe("oidc:alice");
  expect(await call(await issuer.token({ nbf: now + 10 }))).toBe("oidc:alice");
});

test("a new key of the issuer is found, and one that it has given up is not taken any more", async () => {
  const { call } = await serve({}, { keysCooldown: 0 });
  const before = await issuer.token();
  await call(before);
  await issuer.rotate();
  expect(await call(await issuer.token())).toBe("oidc:alice");
  expect(await call(before)).toBe("oidc:alice");
  await issuer.rotate({ forget: true });
  expect(await call(await issuer.token())).toBe("oidc:alice");
  await expect(call(before)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});

test("tokens of unknown keys do not make the service ask the issuer each time", async () => {
  const { call } = await serve();
  await call(await issuer.token());
  for (let count = 0; count < 5; count++) {
    const guessed = await issuer.token({}, { keyId: `guessed ${count}` });
    await expect(call(guessed)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  }
  expect(issuer.keysAsked).toBe(1);
});

test("tokens whose key is known are taken while the issuer is away", async () => {
  const { call } = await serve({}, { keysCooldown: 0 });
  const token = await issuer.token();
  await call(token);
  const unknown = await issuer.token({}, { keyId: "unknown" });
  await issuer.stop();
  await expect(call(unknown)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(await call(token)).toBe("oidc:alice");
});

test.each([
  ["of another issuer", { issuer: "https://issuer.example" }],
  ["without keys", { jwks_uri: undefined }],
  ["with keys that come in clear text from elsewhere", { jwks_uri: "http://issuer.example/keys" }],
])("a discovery document %s is not used, and a mended one is", async (_name, discovery) => {
  const { call } = await serve();
  issuer.discovery = discovery;
  await expect(call(await issuer.token())).rejects.toMatchObject({ code: "UNAVAILABLE" });
  issuer.discovery = {};
  expect(await call(await issuer.token())).toBe("oidc:alice");
});

/** The same token about somebody else. */
function changed(token: string): string {
  const [header, payload = "", signature] = token.split(".");
  const claims: object = JSON.parse(Buffer.from(payload, "base64url").toString());
  const forged = Buffer.from(JSON.stringify({ ...claims, sub: "admin" })).toString("base64url");
  return [header, forged, signature].join(".");
}
