import type { Auth } from "../../engine/cluster-auth.ts";
import type { Authenticator } from "./authenticator.ts";
import { bearerTokens, type TokenVerifier } from "./bearer-token.ts";
import type { TokensConfig } from "./token-options.ts";
import { tokenReview } from "./token-review.ts";

/** Authentication by bearer tokens. The cluster takes any token for its own, so it comes last. */
export async function openTokens({ oidc, reviewAudiences }: TokensConfig, auth: () => Auth): Promise<Authenticator> {
  const verifiers: TokenVerifier[] = [];
  if (oidc) {
    // Only now: most processes do without the library behind it.
    const { Oidc } = await import("./oidc.ts");
    verifiers.push(new Oidc(oidc));
  }
  if (reviewAudiences.length > 0) verifiers.push(tokenReview(auth, reviewAudiences));
  return bearerTokens(verifiers);
}
