import { createRemoteJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify, type RemoteJWKSet } from "jose";
import { DrsError } from "../../engine/errors.ts";
import { parseSecureUrl } from "../settings/parsers.ts";
import type { Identity } from "./identity.ts";
import { notValid, type TokenVerifier } from "./bearer-token.ts";

export interface OidcConfig {
  /** As the tokens name it in `iss`. */
  readonly issuer: string;
  /** A token is meant for this service when its `aud` has one of these. */
  readonly audiences: readonly string[];
  /** Where the issuer's keys are; else its discovery document says so. */
  readonly jwksUrl: string | undefined;
  readonly nameClaim: string;
  readonly groupsClaim: string;
  /** Put before every name and group, so that no issuer makes a user of the cluster's own. */
  readonly prefix: string;
}

/** Signatures that only the issuer can make. Those with a shared secret (HS256), and `none`, are not among them. */
const algorithms = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");
/** How far the issuer's clock and this one may be apart, in seconds. */
const clockTolerance = 30;
/** How long the issuer may take to answer, in milliseconds. */
const timeout = 5_000;
/** After keys were fetched, how long a token with an unknown key does not make the service fetch them again. */
const keysCooldown = 30_000;

/**
 * JSON Web Tokens of one OpenID Connect issuer: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
 *
 * UNAVAILABLE when the issuer's keys cannot be had. They are fetched when the first token comes, every ten minutes, and
 * for a key that is not among them.
 */
export class Oidc implements TokenVerifier {
  readonly #config: OidcConfig;
  readonly #keysCooldown: number;
  #keys: Promise<RemoteJWKSet> | undefined;

  constructor(config: OidcConfig, options: { keysCooldown?: number } = {}) {
    this.#config = config;
    this.#keysCooldown = options.keysCooldown ?? keysCooldown;
  }

  recognises(token: string): boolean {
    try {
      return decodeJwt(token).iss === this.#config.issuer;
    } catch {
      return false;
    }
  }

  async verify(token: string): Promise<Omit<Identity, "provenBy">> {
    const { issuer, audiences, nameClaim } = this.#config;
    try {
      const { payload } = await jwtVerify(token, (header, jws) => this.#key(header, jws), {
        issuer,
        audience: [...audiences],
        algorithms,
        clockTolerance,
        requiredClaims: ["exp", nameClaim],
      });
      return this.#identity(payload);
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      // The signature is checked before the claims: these errors go to the holder of a real token.
      if (error instanceof errors.JWTExpired) throw refused("has expired: get a new one");
      if (error instanceof errors.JWTClaimValidationFailed) throw refused(`is not for this service: ${error.message}`);
      throw notValid(error.message);
    }
  }

  #identity(claims: JWTPayload): Omit<Identity, "provenBy"> {
    const { nameClaim, groupsClaim, prefix } = this.#config;
    const name = claims[nameClaim];
    if (typeof name !== "string" || name === "") throw refused(`names nobody: its claim "${nameClaim}" is not text`);
    const { email_verified: isVerified = true } = claims;
    if (nameClaim === "email" && isVerified !== true) throw refused("has an address that is not verified");
    const groups = [claims[groupsClaim] ?? []].flat().filter((group) => typeof group === "string");
    return { name: prefix + name, groups: groups.map((group) => prefix + group) };
  }

  async #key(...[header, jws]: Parameters<RemoteJWKSet>): ReturnType<RemoteJWKSet> {
    try {
      const keys = await (this.#keys ??= this.#findKeys());
      return await keys(header, jws);
    } catch (error) {
      if (saysSomethingOfTheToken(error)) throw error;
      throw new DrsError("UNAVAILABLE", "the token issuer's keys cannot be fetched: try again later", {
        id: "DRS-C007",
        cause: error,
      });
    }
  }

  async #findKeys(): Promise<RemoteJWKSet> {
    try {
      const url = this.#config.jwksUrl ?? (await discoverJwksUrl(this.#config.issuer));
      const options = { timeoutDuration: timeout, cooldownDuration: this.#keysCooldown };
      return createRemoteJWKSet(new URL(url), options);
    } catch (error) {
      this.#keys = undefined;
      throw error;
    }
  }
}

/** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
async function discoverJwksUrl(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const response = await fetch(url, { signal: AbortSignal.timeout(timeout), redirect: "error" });
  if (response.status !== 200) throw new Error(`${url} answers ${response.status}`);
  const found = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown } | null;
  if (found?.issuer !== issuer) throw new Error(`${url} is of the issuer ${JSON.stringify(found?.issuer)}`);
  if (typeof found.jwks_uri !== "string") throw new Error(`${url} has no jwks_uri`);
  return parseSecureUrl(found.jwks_uri);
}

/** Whether it is the token that chose no key, and not the keys that could not be had. */
function saysSomethingOfTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

function refused(why: string): DrsError {
  return new DrsError("UNAUTHENTICATED", `the bearer token ${why}`, { id: "DRS-C006" });
}
