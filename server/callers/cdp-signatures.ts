import { DrsError } from "../../engine/errors.ts";
import type { ServerRequest } from "../http/call.ts";
import { type AccessKey, verifies } from "./access-keys.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Identity } from "./identity.ts";

/** Limit of an id that anybody may have made up. */
const loggedLength = 64;

export interface SignatureOptions {
  /** The access keys of now, by their ids. */
  readonly keys: () => ReadonlyMap<string, AccessKey>;
  /** How far a request's date may be from now, in milliseconds. */
  readonly window: number;
  /** The prefix that clients may have requested in front of the path that arrives here. */
  readonly pathPrefix: string;
}

/** `x-altus-auth`, taken apart. */
interface Signed {
  readonly keyId: string;
  readonly method: string;
  readonly signature: Buffer;
}

/**
 * Knows callers by the signature that `cdp` and its relatives put into `x-altus-auth`: over the HTTP method,
 * content-type, x-altus-date, the path and the name of the algorithm, one a line. The texts are those that were sent,
 * whatever their spelling. The body is not signed.
 *
 * A signature may come again within the window on its date: clients repeat a failed request as it was.
 */
export class CdpSignatures implements Authenticator {
  readonly authMethod = "CDP signature";
  readonly #options: SignatureOptions;

  constructor(options: SignatureOptions) {
    this.#options = options;
  }

  async authenticate(request: ServerRequest): Promise<Identity | undefined> {
    const header = request.headers["x-altus-auth"];
    if (header === undefined) return undefined;
    const signed = parseHeader(header);
    if (!signed) {
      throw new DrsError("UNAUTHENTICATED", "x-altus-auth is not <base64url of its parameters>.<base64url signature>", {
        id: "DRS-C018",
      });
    }
    this.#checkDate(request.headers["x-altus-date"]);
    const key = this.#options.keys().get(signed.keyId);
    const isKnown = key !== undefined && key.method === signed.method;
    // With another key in its place, an unknown one takes as long as a wrong signature.
    const candidate = isKnown ? key : this.#anyKey(signed.method);
    const isSigned = candidate !== undefined && (await this.#hasSigned(candidate, request, signed.signature));
    if (isKnown && isSigned) return { name: key.user, groups: key.groups, provenBy: this.authMethod };
    const keyId = signed.keyId.slice(0, loggedLength);
    const reason = isKnown ? "wrong signature" : "no such key of this method";
    throw new DrsError("UNAUTHENTICATED", "the access key is not known or the signature is wrong", {
      id: "DRS-C003",
      cause: new Error(`access key ${keyId}: ${reason}`),
    });
  }

  #checkDate(header: string | string[] | undefined): void {
    const date = typeof header === "string" ? parseDate(header) : Number.NaN;
    if (Number.isNaN(date)) {
      throw new DrsError("UNAUTHENTICATED", "x-altus-date is not a date like Mon, 23 Nov 2026 17:29:44 GMT", {
        id: "DRS-C018",
      });
    }
    if (Math.abs(Date.now() - date) <= this.#options.window) return;
    const now = new Date().toUTCString();
    throw new DrsError(
      "UNAUTHENTICATED",
      `x-altus-date is too far from ${now}, the time here: set the client's clock`,
      { id: "DRS-C004" },
    );
  }

  #anyKey(method: string): AccessKey | undefined {
    return this.#options
      .keys()
      .values()
      .find((key) => key.method === method);
  }

  async #hasSigned(key: AccessKey, request: ServerRequest, signature: Buffer): Promise<boolean> {
    const { pathPrefix } = this.#options;
    const path = request.url?.split("?", 1)[0] ?? "";
    // A proxy has taken the prefix away, or the client does not come through it.
    const paths = pathPrefix === "" ? [path] : [pathPrefix + path, path];
    for (const path of paths) {
      if (await verifies(key, signedText(request, path, key.method), signature)) return true;
    }
    return false;
  }
}

/** The text's bytes as they came: Node reads headers as Latin-1. */
function signedText({ method, headers }: ServerRequest, path: string, authMethod: string): Buffer {
  const lines = [method, headers["content-type"] ?? "", headers["x-altus-date"], path, authMethod];
  return Buffer.from(lines.join("\n"), "latin1");
}

function parseHeader(header: string | string[]): Signed | undefined {
  const match = /^([\w-]+)=*\.([\w-]+)=*$/.exec(String(header));
  if (!match) return undefined;
  try {
    const parameters: unknown = JSON.parse(Buffer.from(match[1] ?? "", "base64url").toString());
    const { access_key_id: keyId, auth_method: method } = parameters as Record<string, unknown>;
    if (typeof keyId !== "string" || typeof method !== "string") return undefined;
    return { keyId, method, signature: Buffer.from(match[2] ?? "", "base64url") };
  } catch {
    return undefined;
  }
}

/** RFC 1123, the day with or without a zero in front; NaN for anything else. */
function parseDate(text: string): number {
  return /^\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d GMT$/.test(text) ? Date.parse(text) : Number.NaN;
}
