import type { Command } from "commander";
import { setting } from "../settings/option.ts";
import { parseSecureUrl, parseWords } from "../settings/parsers.ts";
import type { OidcConfig } from "./oidc.ts";

/** Whose bearer tokens are taken. */
export interface TokensConfig {
  /** The cluster's, when they are meant for one of these; empty: not the cluster's. */
  readonly reviewAudiences: readonly string[];
  /** An OpenID Connect issuer's. */
  readonly oidc: OidcConfig | undefined;
}

export interface TokenOptions {
  readonly tokenReviewAudiences: readonly string[];
  readonly oidcIssuer?: string;
  readonly oidcAudiences?: readonly string[];
  readonly oidcJwksUrl?: string;
  readonly oidcNameClaim: string;
  readonly oidcGroupsClaim: string;
  readonly oidcPrefix: string;
}

export function addTokenOptions(program: Command): Command {
  return program
    .addOption(
      setting("--token-review-audiences <names>", "bearer tokens that the cluster knows, meant for one of these")
        .argParser(parseWords)
        .default([], "none"),
    )
    .addOption(
      setting("--oidc-issuer <url>", "bearer tokens (JWT) of this OpenID Connect issuer").argParser(parseSecureUrl),
    )
    .addOption(setting("--oidc-audiences <names>", "meant for one of these").argParser(parseWords))
    .addOption(
      setting("--oidc-jwks-url <url>", "where the issuer's keys are (default: as its discovery says)").argParser(
        parseSecureUrl,
      ),
    )
    .addOption(setting("--oidc-name-claim <name>", "the claim that names the caller").default("sub"))
    .addOption(setting("--oidc-groups-claim <name>", "the claim that lists the caller's groups").default("groups"))
    .addOption(setting("--oidc-prefix <text>", "put before the issuer's names and groups").default("oidc:"));
}

/** Undefined when nobody's are. */
export function tokensConfig(options: TokenOptions, program: Command): TokensConfig | undefined {
  const { tokenReviewAudiences: reviewAudiences, oidcIssuer, oidcAudiences } = options;
  if (oidcIssuer === undefined) {
    if (oidcAudiences || options.oidcJwksUrl !== undefined)
      program.error("error: --oidc-audiences and --oidc-jwks-url need --oidc-issuer");
    return reviewAudiences.length > 0 ? { reviewAudiences, oidc: undefined } : undefined;
  }
  if (!oidcAudiences) return program.error("error: --oidc-issuer needs --oidc-audiences");
  return {
    reviewAudiences,
    oidc: {
      issuer: oidcIssuer,
      audiences: oidcAudiences,
      jwksUrl: options.oidcJwksUrl,
      nameClaim: options.oidcNameClaim,
      groupsClaim: options.oidcGroupsClaim,
      prefix: options.oidcPrefix,
    },
  };
}
