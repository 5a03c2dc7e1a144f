import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  type GenerateKeyPairResult,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from "jose";

interface SigningKey {
  readonly id: string;
  readonly pair: GenerateKeyPairResult;
}

/** How a token is signed otherwise than by the issuer's key of now. */
interface Signing {
  readonly key?: CryptoKey;
  readonly keyId?: string;
}

/** An OpenID Connect issuer on the loopback interface: its discovery, its keys, and the tokens it gives. */
export class TokenIssuer {
  readonly audience = "drs";
  readonly #server: Server;
  readonly #keys: SigningKey[] = [];
  /** Members of the discovery document that are not what they should be. */
  discovery: object = {};
  /** How often its keys were asked for. */
  keysAsked = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request.url ?? "").then((body) => {
        response.writeHead(body ? 200 : 404, { "content-type": "application/json" });
        response.end(JSON.stringify(body ?? {}));
      });
    });
  }

  static async start(): Promise<TokenIssuer> {
    const issuer = new TokenIssuer();
    await issuer.rotate();
    issuer.#server.listen(0, "127.0.0.1");
    await once(issuer.#server, "listening");
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on another key signs; those before are known still, unless forgotten. */
  async rotate({ forget = false } = {}): Promise<void> {
    const pair = await generateKeyPair("ES256", { extractable: true });
    if (forget) this.#keys.length = 0;
    this.#keys.unshift({ id: crypto.randomUUID(), pair });
  }

  /** What a good token says. */
  claims(changes: JWTPayload = {}): JWTPayload {
    const now = Math.floor(Date.now() / 1_000);
    const exp = now + 300;
    return { iss: this.url, aud: this.audience, sub: "alice", groups: ["operators"], iat: now, exp, ...changes };
  }

  async token(changes: JWTPayload = {}, { key, keyId }: Signing = {}): Promise<string> {
    const header = { alg: "ES256", kid: keyId ?? this.#current.id };
    return new SignJWT(this.claims(changes)).setProtectedHeader(header).sign(key ?? this.#current.pair.privateKey);
  }

  /** A token without signature. */
  unsigned(): string {
    return new UnsecuredJWT(this.claims()).encode();
  }

  /** A token signed with the public key, which everybody has, as if it were a shared secret. */
  async signedWithPublicKey(): Promise<string> {
    const secret = Buffer.from(await exportSPKI(this.#current.pair.publicKey));
    return new SignJWT(this.claims()).setProtectedHeader({ alg: "HS256", kid: this.#current.id }).sign(secret);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  get #current(): SigningKey {
    const [current] = this.#keys;
    if (!current) throw new Error("the issuer has no key");
    return current;
  }

  async #answer(path: string): Promise<object | undefined> {
    if (path === "/.well-known/openid-configuration") {
      return { issuer: this.url, jwks_uri: `${this.url}/keys`, ...this.discovery };
    }
    if (path !== "/keys") return undefined;
    this.keysAsked++;
    return { keys: await Promise.all(this.#keys.map(publicJwk)) };
  }
}

async function publicJwk({ id, pair }: SigningKey): Promise<object> {
  return { ...(await exportJWK(pair.publicKey)), kid: id, use: "sig" };
}
