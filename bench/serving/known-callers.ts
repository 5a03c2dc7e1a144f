import { startSimulator, type Simulator } from "../../simulator/simulator.ts";
import { type SigningKey, signedHeaders, signingKey } from "../../test/support/cdp-signer.ts";
import { kubeconfig } from "../../test/support/kubeconfig.ts";
import { certificateFile, file, keyFile } from "../../test/support/test-server.ts";
import { TokenIssuer } from "../../test/support/token-issuer.ts";
import type { LoadTarget } from "./load.ts";
import type { ScratchData } from "./scratch-data.ts";

/** What the simulated cluster's tokens are for. */
const audience = "https://kubernetes.default.svc";
const lifetime = 24 * 60 * 60;

interface Tokens {
  readonly issuer: string;
  /** A JWT too, as those of service accounts are. */
  readonly cluster: string;
}

type Shown = Omit<LoadTarget, "url">;

/** One caller for each way to be known, the cluster and the issuer that know them, and a service's settings for all. */
export class KnownCallers {
  readonly #cluster: Simulator;
  readonly #issuer: TokenIssuer;
  readonly #keys = (["ed25519v1", "rsav1", "ecdsav1"] as const).map((method) =>
    signingKey(method, crypto.randomUUID()),
  );
  readonly #tokens: Tokens;

  private constructor(cluster: Simulator, issuer: TokenIssuer, tokens: Tokens) {
    this.#cluster = cluster;
    this.#issuer = issuer;
    this.#tokens = tokens;
  }

  static async create(): Promise<KnownCallers> {
    const issuer = await TokenIssuer.start();
    const exp = Math.floor(Date.now() / 1_000) + lifetime;
    const tokens = { issuer: await issuer.token({ exp }), cluster: await issuer.token({ exp, iss: audience }) };
    const cluster = await startSimulator({ tokens: { [tokens.cluster]: "nightly" } });
    return new KnownCallers(cluster, issuer, tokens);
  }

  /** Of a service that asks nobody, and listens with TLS as well. */
  async openFlags(data: ScratchData): Promise<readonly string[]> {
    return [
      ...data.flags,
      `--kubeconfig=${await data.write("kubeconfig", kubeconfig(this.#cluster.url))}`,
      "--tls-listen=127.0.0.1:0",
      `--tls-cert=${certificateFile}`,
      `--tls-key=${keyFile}`,
    ];
  }

  /** Of a service that is the same, and asks who calls and what they may. */
  async flags(data: ScratchData): Promise<readonly string[]> {
    const keys = this.#keys.map(({ id, method, publicKey }) => ({ id, user: "alice", method, publicKey }));
    const grants = [{ users: ["alice", "nightly", "oidc:alice"], roles: ["PowerUser"] }];
    return [
      ...(await this.openFlags(data)),
      `--client-ca=${file("authority.pem")}`,
      `--access-keys=${await data.write("access-keys.json", { keys })}`,
      `--token-review-audiences=${audience}`,
      `--oidc-issuer=${this.#issuer.url}`,
      `--oidc-audiences=${this.#issuer.audience}`,
      `--rights=${await data.write("rights.json", { grants })}`,
    ];
  }

  /** What each caller shows, asking for this path now. */
  shown(path: string): Readonly<Record<string, Shown>> {
    const signed = ({ method }: Pick<SigningKey, "method">): Shown => {
      const key = this.#keys.find((each) => each.method === method);
      if (!key) throw new Error(`there is no key for ${method}`);
      return { headers: signedHeaders(key, path, "application/json") };
    };
    return {
      "client certificate": { tls: { ca: certificateFile, cert: file("alice.pem"), key: file("client-key.pem") } },
      "signature, Ed25519": signed({ method: "ed25519v1" }),
      "signature, RSA 2048": signed({ method: "rsav1" }),
      "signature, ECDSA P-521": signed({ method: "ecdsav1" }),
      "token of the cluster, whose review is kept": { headers: { authorization: `Bearer ${this.#tokens.cluster}` } },
      "token of an issuer, ES256": { headers: { authorization: `Bearer ${this.#tokens.issuer}` } },
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#cluster.close(), this.#issuer.stop()]);
  }
}
