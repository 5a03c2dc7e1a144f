import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SigningKey, signedHeaders, signingKey, type Variation } from "../support/cdp-signer.ts";
import { TokenIssuer } from "../support/token-issuer.ts";
import type { FuzzRequest } from "./requests.ts";

/** Who sends a request, rightly proven. The reader may change nothing. */
const rightProofs = ["ed25519v1", "rsav1", "ecdsav1", "token", "reader's key", "reader's token"] as const;
const wrongProofs = [
  "none",
  "unknown key",
  "another's signature",
  "signature of another path",
  "old signature",
  "cut signature",
  "changed signature",
  "expired token",
  "unsigned token",
  "token for another",
  "no token",
] as const;
type RightProof = (typeof rightProofs)[number];
type WrongProof = (typeof wrongProofs)[number];
export type Proof = RightProof | WrongProof;

export const proofs: { readonly right: readonly Proof[]; readonly wrong: readonly Proof[] } = {
  right: rightProofs,
  wrong: wrongProofs,
};

export function isRight(proof: Proof): boolean {
  return proofs.right.includes(proof);
}

const wholeRun = 24 * 60 * 60;

/** Callers that prove themselves by access keys and tokens, rightly and wrongly, and the settings for a service that knows them. */
export class FuzzCallers {
  readonly #folder: string;
  readonly #issuer: TokenIssuer;
  readonly #keys = {
    ed25519v1: signingKey("ed25519v1", crypto.randomUUID()),
    rsav1: signingKey("rsav1", crypto.randomUUID()),
    ecdsav1: signingKey("ecdsav1", crypto.randomUUID()),
  };
  readonly #reader = signingKey("ed25519v1", crypto.randomUUID());
  readonly #unknown = signingKey("ed25519v1", crypto.randomUUID());
  #tokens: Readonly<Partial<Record<Proof, string>>> = {};

  private constructor(folder: string, issuer: TokenIssuer) {
    this.#folder = folder;
    this.#issuer = issuer;
  }

  static async create(): Promise<FuzzCallers> {
    const callers = new FuzzCallers(await mkdtemp(join(tmpdir(), "drs-callers-")), await TokenIssuer.start());
    await callers.#makeTokens();
    await callers.#writeFiles();
    return callers;
  }

  /** Of the service. */
  get flags(): readonly string[] {
    return [
      `--access-keys=${this.#file("access-keys.json")}`,
      `--rights=${this.#file("rights.json")}`,
      `--audit=${this.#file("audit.log")}`,
      `--oidc-issuer=${this.#issuer.url}`,
      `--oidc-audiences=${this.#issuer.audience}`,
    ];
  }

  /** What a request carries, by what it is when it is sent. */
  headers(proof: Proof, { method, path, headers }: Pick<FuzzRequest, "method" | "path" | "headers">) {
    const token = this.#tokens[proof];
    if (token !== undefined) return { authorization: token };
    const signed = (key: SigningKey, variation: Variation = {}) =>
      signedHeaders(key, path.split("?", 1)[0] ?? "", headers["content-type"] ?? "", {
        httpMethod: method,
        ...variation,
      });
    const key = this.#keys.ed25519v1;
    switch (proof) {
      case "ed25519v1":
      case "rsav1":
      case "ecdsav1":
        return signed(this.#keys[proof]);
      case "reader's key":
        return signed(this.#reader);
      case "unknown key":
        return signed(this.#unknown);
      case "another's signature":
        return signed(this.#reader, { id: key.id });
      case "signature of another path":
        return signed(key, { path: `${path}x` });
      case "old signature":
        return signed(key, { date: new Date(Date.now() - 60 * 60_000).toUTCString() });
      case "cut signature":
        return changed(signed(key), (text) => text.slice(0, -40));
      case "changed signature":
        return changed(signed(key), (text) => text.replace(/\.(.)/, (_, first) => (first === "A" ? ".B" : ".A")));
      default:
        return {};
    }
  }

  /** The lines of the audit log. */
  async audited(): Promise<readonly string[]> {
    return (await readFile(this.#file("audit.log"), "utf8")).split("\n").slice(0, -1);
  }

  async stop(): Promise<void> {
    await this.#issuer.stop();
    await rm(this.#folder, { recursive: true });
  }

  async #makeTokens(): Promise<void> {
    const issuer = this.#issuer;
    const exp = Math.floor(Date.now() / 1_000) + wholeRun;
    this.#tokens = {
      token: `Bearer ${await issuer.token({ exp })}`,
      "reader's token": await issuer.token({ exp, sub: "reader" }),
      "expired token": `Bearer ${await issuer.token({ exp: 1 })}`,
      "unsigned token": `Bearer ${issuer.unsigned()}`,
      "token for another": `Bearer ${await issuer.token({ exp, aud: "another" })}`,
      "no token": "Bearer x.y.z",
    };
  }

  async #writeFiles(): Promise<void> {
    const keys = [...Object.values(this.#keys).map((key) => entry("alice", key)), entry("reader", this.#reader)];
    const grants = [
      { users: ["alice", "oidc:alice"], roles: ["PowerUser"] },
      { users: ["reader", "oidc:reader"], roles: ["Auditor"] },
    ];
    await writeFile(this.#file("access-keys.json"), JSON.stringify({ keys }));
    await writeFile(this.#file("rights.json"), JSON.stringify({ grants }));
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }
}

/** As the file of access keys has it. */
function entry(user: string, { id, method, publicKey }: SigningKey): object {
  return { id, user, method, publicKey };
}

type Signed = ReturnType<typeof signedHeaders>;

function changed(signed: Signed, change: (text: string) => string): Signed {
  return { ...signed, "x-altus-auth": change(signed["x-altus-auth"]) };
}
