import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { ApiClient } from "../support/api-client.ts";
import { type SigningKey, signingKey } from "../support/cdp-signer.ts";
import { clientSuite } from "../support/client-suite.ts";
import { ServiceProcess } from "../support/service-process.ts";
import { file } from "../support/test-server.ts";
import { TokenIssuer } from "../support/token-issuer.ts";
import { accessKey, cdpClient } from "./cdp-client.ts";
import { PrefixProxy } from "./prefix-proxy.ts";

const cdp = inject("cdp");
const methods = ["ed25519v1", "rsav1", "ecdsav1"] as const;
const prefix = "/drs";
const home = mkdtempSync(join(tmpdir(), "drs-cdp-"));
const keys = Object.fromEntries(methods.map((method) => [method, signingKey(method, crypto.randomUUID())])) as Readonly<
  Record<SigningKey["method"], SigningKey>
>;
const reader = signingKey("ed25519v1", crypto.randomUUID());
/** With the id of a key that is known, and nothing else of it. */
const wrong = signingKey("ed25519v1", keys.ed25519v1.id);
const unknown = signingKey("ecdsav1", crypto.randomUUID());

let issuer: TokenIssuer;
let service: ServiceProcess;
let stripping: PrefixProxy;
let leaving: PrefixProxy;
/** Where the client finds the service. */
const places = {
  directly: () => `https://127.0.0.1:${service.tlsPort}`,
  "through a proxy that takes its prefix away": () => stripping.url,
  "through a proxy that leaves its prefix": () => leaving.url,
} as const;
type Place = keyof typeof places;

function entry(user: string, { id, method, publicKey }: SigningKey): object {
  return { id, user, method, publicKey };
}

function writeHomeFile(name: string, content: string): string {
  const path = join(home, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

beforeAll(async () => {
  if (cdp === "") return;
  issuer = await TokenIssuer.start();
  const known = [...Object.values(keys).map((key) => entry("alice", key)), entry("reader", reader)];
  const grants = [
    { users: ["alice", "oidc:alice"], roles: ["PowerUser"] },
    { users: ["reader"], roles: ["Auditor"] },
  ];
  service = await ServiceProcess.start([
    "--listen=off",
    "--tls-listen=127.0.0.1:0",
    `--tls-cert=${file("server.pem")}`,
    `--tls-key=${file("server-key.pem")}`,
    `--access-keys=${writeHomeFile("access-keys.json", JSON.stringify({ keys: known }))}`,
    `--oidc-issuer=${issuer.url}`,
    `--oidc-audiences=${issuer.audience}`,
    `--rights=${writeHomeFile("rights.json", JSON.stringify({ grants }))}`,
    `--path-prefix=${prefix}`,
    "--finalizer-timeout=2s",
  ]);
  const target = places.directly();
  stripping = await PrefixProxy.start({ target, prefix, strips: true });
  leaving = await PrefixProxy.start({ target, prefix, strips: false });
});

afterAll(async () => {
  await Promise.all([stripping?.stop(), leaving?.stop(), service?.stop(), issuer?.stop()]);
  rmSync(home, { recursive: true });
});

function client(endpointUrl: string, environment: Readonly<Record<string, string>>): ApiClient {
  return cdpClient({ cdp, home, endpointUrl, caBundle: file("server-authority.pem"), environment });
}

/** By a key of the method. */
function signedBy(method: SigningKey["method"], place: Place): ApiClient {
  return client(places[place](), accessKey(keys[method], home));
}

describe.skipIf(cdp === "")("the cdp client, over TLS with a private authority", () => {
  clientSuite("cdp, ed25519v1, directly", () => signedBy("ed25519v1", "directly"), { jobTimeout: 60_000 });
  const stripped = "through a proxy that takes its prefix away";
  clientSuite(`cdp, rsav1, ${stripped}`, () => signedBy("rsav1", stripped), { jobTimeout: 60_000 });
  const left = "through a proxy that leaves its prefix";
  clientSuite(`cdp, ecdsav1, ${left}`, () => signedBy("ecdsav1", left), { jobTimeout: 60_000 });

  describe.each(Object.keys(places) as Place[])("%s", (place) => {
    const by = (environment: Readonly<Record<string, string>>) => client(places[place](), environment);

    test.each(methods)("is known by its key of %s", async (method) => {
      expect(await signedBy(method, place)("listBackups", { jobStates: [] })).toHaveProperty("backups");
    });

    test("is known by its access token, which it sends without a word before it", async () => {
      const call = by({ CDP_ACCESS_TOKEN: await issuer.token() });
      expect(await call("listBackupEntities", {})).toEqual({ items: ["cdp", "vault-system"] });
    });

    test("says that its key or token is refused, and what right is missing", async () => {
      const refused = "UNAUTHENTICATED: the access key is not known or the signature is wrong";
      for (const key of [wrong, unknown]) {
        await expect(by(accessKey(key, home))("listBackups", {})).rejects.toThrow(refused);
      }
      const token = await issuer.token({ aud: "somebody else" });
      await expect(by({ CDP_ACCESS_TOKEN: token })("listBackups", {})).rejects.toThrow(
        "UNAUTHENTICATED: the bearer token is not for this service",
      );
      await expect(by(accessKey(reader, home))("createBackup", {})).rejects.toThrow(
        "PERMISSION_DENIED: reader does not have the right drscp/createBackup",
      );
    });
  });

  test("that repeats a call whose answer was lost, with the signature it had, gets the backup that was made", async () => {
    // As `cdp configure set request_headers x-request-id=generate::uuid` writes it.
    const config = writeHomeFile("config", "[default]\nrequest_headers = x-request-id=generate::uuid\n");
    const call = client(stripping.url, { ...accessKey(keys.ed25519v1, home), CDP_CONFIG_FILE: config });
    // Dates have no fractions of seconds: a call that is repeated in the next one is signed again.
    for (let attempt = 1, isSame = false; !isSame; attempt += 1) {
      const backupName = `repeated ${attempt}`;
      stripping.passed.length = 0;
      stripping.answersToLose = 2;
      const { backupCrn } = await call("createBackup", { backupName });
      expect(stripping.passed.map(({ status }) => status)).toEqual([200, 200, 200]);
      for (const { body } of stripping.passed) expect(JSON.parse(body)).toEqual({ backupCrn });
      const signatures = stripping.passed.map(({ requestHeaders }) => requestHeaders["x-altus-auth"]);
      isSame = new Set(signatures).size < signatures.length;
      expect((await call("listBackups", { backupName }))["backups"]).toMatchObject([{ backupCrn }]);
      expect(attempt).toBeLessThan(5);
    }
  });

  test("has met no fault of the service", () => {
    expect(service.faults).toEqual([]);
  });
});
