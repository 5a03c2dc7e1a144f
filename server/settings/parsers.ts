import { accessSync, constants } from "node:fs";
import { isIP } from "node:net";
import { fileURLToPath } from "node:url";
import { InvalidArgumentError } from "commander";
import type { FurtherObjects, StorageConfig } from "../../engine/config.ts";

/** Where to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const millisecondsPer: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `127.0.0.1:8080`, `[::1]:8080`, `:8080` for every interface; `off`. */
export function parseAddress(text: string): Address | "off" {
  if (text === "off") return text;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:]*)):(\d+)$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535)
    throw new InvalidArgumentError('Use <host>:<port>, for example 127.0.0.1:8080, or "off".');
  return { host: match[1] ?? (match[2] || "::"), port };
}

/** As it is typed: the opposite of `parseAddress`. */
export function addressText({ host, port }: Address): string {
  if (host === "::") return `:${port}`;
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** `500ms`, `90s`, `10m`, `1h`, in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  const duration = Number(match?.[1]) * (millisecondsPer[match?.[2] ?? ""] ?? Number.NaN);
  // Node's timers hold no longer delay: they would fire at once.
  if (!(duration >= 1 && duration < 2 ** 31)) {
    throw new InvalidArgumentError("Use a number and a unit, for example 500ms, 90s, 10m or 1h; 24 days at most.");
  }
  return duration;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError("Use a whole number, 1 or more.");
  }
  return count;
}

export function parseCountOrNone(text: string): number {
  return text === "0" ? 0 : parseCount(text);
}

/** A file that can be read now. */
export function parseFile(path: string): string {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
  return path;
}

export function parseHttpUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new InvalidArgumentError("Use an http:// or https:// URL.");
  }
  return text;
}

/** Whether only this machine reaches a host, be it of an address or of a URL. */
export function isLoopback(host: string): boolean {
  return ["localhost", "::1", "[::1]"].includes(host) || (isIP(host) === 4 && host.startsWith("127."));
}

/** A URL whose answers nobody on the way can make up. */
export function parseSecureUrl(text: string): string {
  const url = URL.parse(text);
  const isLocal = url?.protocol === "http:" && isLoopback(url.hostname);
  if (url?.protocol !== "https:" && !isLocal) {
    throw new InvalidArgumentError("Use an https:// URL; http:// is for this machine only.");
  }
  return text;
}

/** The name of a namespace or another object of the cluster. */
export function parseName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError("Use small letters, digits and hyphens, 63 at most.");
  }
  return text;
}

/** Names with commas between. */
/** Empty for `off`. */
export function parseNameOrOff(text: string): string {
  return text === "off" ? "" : parseName(text);
}

export function parseNames(text: string): readonly string[] {
  return listed(text).map(parseName);
}

/** Storage classes, `<saved>=<existing>`, with commas between. */
export function parseClassMap(text: string): Readonly<Record<string, string>> {
  const map = new Map<string, string>();
  for (const word of listed(text)) {
    const [from = "", to = "", ...more] = word.split("=");
    if (!isObjectName(from) || !isObjectName(to) || more.length > 0)
      throw new InvalidArgumentError(`"${word}" is not <saved class>=<existing class>.`);
    if (map.has(from)) throw new InvalidArgumentError(`"${from}" is mapped twice.`);
    map.set(from, to);
  }
  return Object.fromEntries(map);
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names */
function isObjectName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text);
}

/** Names of custom resources, `<plural>.<group>`, with commas between. */
export function parseResources(text: string): readonly string[] {
  const names = listed(text);
  if (!names.every((name) => /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(name)))
    throw new InvalidArgumentError("Use names like widgets.example.com, with commas between.");
  return names;
}

/**
 * Cluster-scoped objects, with commas between: `<plural>.<group>` for all of a kind, `<plural>.<group>/<name>` for one,
 * `<plural>.<group>?<label>` or `?<label>=<value>` for those with a label; `*` instead of a kind for all kinds, with a label.
 */
export function parseFurtherObjects(text: string): readonly FurtherObjects[] {
  return listed(text).map((word) => {
    const [, resource = "", name, label] = /^([^/?]*)(?:\/([^?]*)|\?(.*))?$/.exec(word) ?? [];
    const isKind = resource === "*" ? label !== undefined : /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(resource);
    const isName = name === undefined || /^[^/%\s]{1,253}$/.test(name);
    const isLabel = label === undefined || isLabelSelector(label);
    if (!isKind || !isName || !isLabel)
      throw new InvalidArgumentError(
        `"${word}" is not <kinds>, <kinds>/<name>, <kinds>?<label>=<value> or *?<label>=<value>; kinds are named like clusterissuers.cert-manager.io.`,
      );
    return { resource, ...(name !== undefined && { name }), ...(label !== undefined && { label }) };
  });
}

/** `<label>` or `<label>=<value>`. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ */
function isLabelSelector(text: string): boolean {
  const word = "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?";
  return new RegExp(`^([a-z0-9][a-z0-9.-]*/)?${word}(=(${word})?)?$`).test(text);
}

/** One word or more, with commas between. */
export function parseWords(text: string): readonly string[] {
  const words = listed(text);
  if (words.length === 0) throw new InvalidArgumentError("Use at least one word.");
  return words;
}

function listed(text: string): readonly string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** One part of a CRN: no colon, no space. */
export function parseCrnPart(text: string): string {
  if (!/^[\w.-]+$/.test(text)) throw new InvalidArgumentError("Use letters, digits, hyphens, dots and underscores.");
  return text;
}

/** The storage of a URL alone: `file:///data/archives`, `s3://bucket/prefix`. */
export function parseStorage(text: string): StorageConfig {
  const url = URL.parse(text);
  if (url?.protocol === "file:" && url.host === "") return { kind: "folder", path: fileURLToPath(url) };
  if (url?.protocol === "s3:" && url.host !== "" && url.search === "" && url.username === "") {
    const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "");
    return { kind: "s3", bucket: url.host, prefix, forcePathStyle: false };
  }
  throw new InvalidArgumentError("Use file:///folder or s3://bucket/prefix.");
}
