import { DrsError } from "../../engine/errors.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Identity } from "./identity.ts";

/** One kind of tokens. */
export interface TokenVerifier {
  /** Whether a token is of this kind, as it says itself: nothing is proven by that. */
  recognises(token: string): boolean;
  /** Whom a token proves. Throws what `Authenticator.authenticate` throws; `signal` is its signal. */
  verify(token: string, signal: AbortSignal): Promise<Omit<Identity, "provenBy">>;
}

/**
 * `Authorization: Bearer <token>` (RFC 6750), and `Authorization: <token>` as `cdp` sends it. The first verifier that
 * recognises the token decides: none sees a token that is meant for another.
 */
export function bearerTokens(verifiers: readonly TokenVerifier[]): Authenticator {
  return {
    authMethod: "bearer token",
    async authenticate({ headers }, signal) {
      const token = tokenIn(headers.authorization);
      if (token === undefined) return undefined;
      const verifier = verifiers.find((verifier) => verifier.recognises(token));
      if (!verifier) throw notValid("it is of nobody whose tokens are taken");
      return { ...(await verifier.verify(token, signal)), provenBy: "bearer token" };
    },
  };
}

/** The refusal of a token that proves nobody. The reason is for the log. */
export function notValid(reason: string): DrsError {
  const message = "the bearer token is not valid here: get a new one for this service";
  return new DrsError("UNAUTHENTICATED", message, { id: "DRS-C005", cause: new Error(reason) });
}

/** Any other scheme, such as Basic, is no token. */
function tokenIn(header: string | undefined): string | undefined {
  return /^(?:Bearer +)?([\w.~+/-]+=*) *$/i.exec(header ?? "")?.[1];
}
