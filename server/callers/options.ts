import { type Command, InvalidArgumentError } from "commander";
import { addRightsOption, type RightsConfig, type RightsOptions } from "../rights/options.ts";
import { duration, setting } from "../settings/option.ts";
import { type Address, addressText, isLoopback, parseFile } from "../settings/parsers.ts";
import { addTokenOptions, type TokenOptions, type TokensConfig, tokensConfig } from "./token-options.ts";

/** How callers are known. */
export interface CallersConfig {
  /** Whether the TLS listener asks for client certificates. */
  readonly clientCertificates: boolean;
  readonly signatures: SignaturesConfig | undefined;
  readonly tokens?: TokensConfig | undefined;
  /** Missing: who is known may do everything. */
  readonly rights?: RightsConfig | undefined;
}

export interface SignaturesConfig {
  /** JSON file: `access-keys.ts` describes it. */
  readonly accessKeysFile: string;
  /** How far a request's date may be from now, in milliseconds. */
  readonly window: number;
  /** The prefix that clients may have requested in front of the path that arrives here: `/drs`; empty for none. */
  readonly pathPrefix: string;
}

export interface CallerOptions extends TokenOptions, RightsOptions {
  readonly clientCa?: string;
  readonly accessKeys?: string;
  readonly signatureWindow: number;
  readonly pathPrefix: string;
}

export function addCallerOptions(program: Command): Command {
  program
    .optionsGroup("Callers (none of these ways: anyone who reaches the loopback interface):")
    .addOption(
      setting("--client-ca <file>", "client certificates signed by these authorities, PEM, on --tls-listen").argParser(
        parseFile,
      ),
    )
    .addOption(
      setting("--access-keys <file>", "requests signed as cdp does, by keys of this file").argParser(parseFile),
    )
    .addOption(duration("--signature-window", "how far a signed request's date may be from now", "5m"))
    .addOption(
      setting(
        "--path-prefix <path>",
        "what clients ask for in front of the service's paths, such as /drs, where a proxy is between",
      )
        .argParser(parsePathPrefix)
        .default("", "none"),
    );
  return addRightsOption(addTokenOptions(program));
}

export function callersConfig(options: CallerOptions, program: Command): CallersConfig {
  const { clientCa, accessKeys, signatureWindow, pathPrefix, rights } = options;
  const config = {
    clientCertificates: clientCa !== undefined,
    signatures: accessKeys ? { accessKeysFile: accessKeys, window: signatureWindow, pathPrefix } : undefined,
    tokens: tokensConfig(options, program),
    rights,
  };
  if (rights && !knowsCallers(config)) {
    program.error(`error: --rights needs authenticated callers: set ${authMethodsToSet}`);
  }
  if (config.tokens && !rights) {
    program.error(
      "error: DRS-C010 anyone known to the issuer can get a bearer token, in a cluster anyone who may start a pod: " +
        "set --rights to a file, to kubernetes, or to all if each of them may do everything",
    );
  }
  return config;
}

const authMethodsToSet = "--client-ca, --access-keys, --token-review-audiences or --oidc-issuer";

function knowsCallers({ clientCertificates, signatures, tokens }: CallersConfig): boolean {
  return clientCertificates || signatures !== undefined || tokens !== undefined;
}

/** The authentication methods, for the log. */
export function describeCallers({ clientCertificates, signatures, tokens }: CallersConfig): readonly string[] {
  const authMethods = [
    clientCertificates && "client certificates (--client-ca)",
    signatures && "access keys (--access-keys)",
    tokens && tokens.reviewAudiences.length > 0 && "the cluster's tokens (--token-review-audiences)",
    tokens?.oidc && `tokens of ${tokens.oidc.issuer} (--oidc-issuer)`,
  ].filter((authMethod) => typeof authMethod === "string");
  return authMethods.length > 0 ? authMethods : ["anyone on this machine"];
}

/** The source of rights, for the log. */
export function describeRights(rights: RightsConfig | undefined): string {
  if (typeof rights === "object") return `as ${rights.file} says`;
  return rights === "kubernetes" ? "as the cluster says" : "all, to each caller";
}

/** Says what to set when strangers could reach the service and callers are not authenticated. */
export function whyNotServed(callers: CallersConfig, addresses: readonly (Address | undefined)[]): string | undefined {
  if (knowsCallers(callers)) return undefined;
  const open = addresses.find((address) => address && !isLoopback(address.host));
  if (!open) return undefined;
  return (
    `${addressText(open)} is reachable from other machines, but no authentication is configured: ` +
    `set ${authMethodsToSet}, or listen on 127.0.0.1`
  );
}

/** `/drs` out of `/drs/` too. */
function parsePathPrefix(text: string): string {
  const prefix = text.replace(/\/+$/, "");
  if (prefix === "" || /^(\/[\w.~%-]+)+$/.test(prefix)) return prefix;
  throw new InvalidArgumentError("Use a path that begins with a slash, for example /drs.");
}
