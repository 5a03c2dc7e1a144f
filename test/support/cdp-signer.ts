import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** An access key, both halves. */
export interface SigningKey {
  readonly id: string;
  readonly method: "ed25519v1" | "rsav1" | "ecdsav1";
  readonly privateKey: KeyObject;
  /** As the file of access keys has it. */
  readonly publicKey: string;
}

export function signingKey(method: SigningKey["method"], id: string): SigningKey {
  const { privateKey, publicKey } = {
    ed25519v1: () => generateKeyPairSync("ed25519"),
    rsav1: () => generateKeyPairSync("rsa", { modulusLength: 2_048 }),
    ecdsav1: () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  }[method]();
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const raw = () => Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
  return { id, method, privateKey, publicKey: method === "ed25519v1" ? raw() : pem };
}

/** What is left as it is when not given. */
export interface Variation {
  /** Of HTTP; POST when not given. */
  readonly httpMethod?: string;
  readonly date?: string;
  readonly id?: string;
  readonly authMethod?: string;
  /** The path that is signed. */
  readonly path?: string;
  /** Takes the padding away, as the Java client does. */
  readonly unpadded?: boolean;
}

/** `x-altus-date` and `x-altus-auth` as cdpcli makes them. */
export function signedHeaders(key: SigningKey, path: string, contentType: string, variation: Variation = {}) {
  const date = variation.date ?? new Date().toUTCString();
  const authMethod = variation.authMethod ?? key.method;
  const text = Buffer.from(
    [variation.httpMethod ?? "POST", contentType, date, variation.path ?? path, authMethod].join("\n"),
  );
  const signature = {
    ed25519v1: () => sign(null, text, key.privateKey),
    rsav1: () => sign("sha256", text, key.privateKey),
    ecdsav1: () => sign("sha512", text, { key: key.privateKey, dsaEncoding: "der" }),
  }[key.method]();
  const parameters = Buffer.from(JSON.stringify({ access_key_id: variation.id ?? key.id, auth_method: authMethod }));
  const encoded = [parameters, signature].map((bytes) =>
    variation.unpadded ? bytes.toString("base64url") : padded(bytes),
  );
  return { "x-altus-date": date, "x-altus-auth": encoded.join(".") };
}

/** Base64url with its padding, which Node leaves out. */
function padded(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}
