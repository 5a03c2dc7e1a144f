import { createPublicKey, type KeyObject, verify as verifyWithCallback } from "node:crypto";
import { promisify } from "node:util";

/** The algorithms of `x-altus-auth`. */
export type SignatureMethod = keyof typeof methods;

/** The public half of a caller's access key. */
export interface AccessKey {
  readonly id: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly method: SignatureMethod;
  readonly publicKey: KeyObject;
}

/** On Node's thread pool: a signature of a large curve takes milliseconds, and strangers may send them too. */
const verify = promisify(verifyWithCallback);

const methods = {
  ed25519v1: {
    keyType: "ed25519",
    verifies: (key: KeyObject, text: Buffer, signature: Buffer) => verify(null, text, key, signature),
  },
  // PKCS #1 v1.5 is Node's padding for RSA where none is named.
  rsav1: {
    keyType: "rsa",
    verifies: (key: KeyObject, text: Buffer, signature: Buffer) => verify("sha256", text, key, signature),
  },
  ecdsav1: {
    keyType: "ec",
    verifies: (key: KeyObject, text: Buffer, signature: Buffer) =>
      verify("sha512", text, { key, dsaEncoding: "der" }, signature),
  },
} as const;

/** Shorter RSA keys are not safe any more (NIST SP 800-131A). */
const leastRsaBits = 2_048;

/** Whether the key's owner has signed the text. */
export function verifies({ method, publicKey }: AccessKey, text: Buffer, signature: Buffer): Promise<boolean> {
  return methods[method].verifies(publicKey, text, signature);
}

/**
 * Reads a file of access keys, by their ids: `{"keys": [{"id", "user", "groups", "method", "publicKey"}]}`, with
 * `groups` optional and `publicKey` as PEM, or 32 bytes in base64 for ed25519v1. Throws an error that names the file and
 * the key, and is not to be shown to callers.
 */
export function parseAccessKeys(file: string, content: Buffer): ReadonlyMap<string, AccessKey> {
  const keys = new Map<string, AccessKey>();
  for (const [index, entry] of entries(file, content).entries()) {
    const where = `${file}: key ${index + 1}`;
    const key = parseKey(where, entry);
    if (keys.has(key.id)) throw new Error(`${where}: there is another key ${key.id}`);
    keys.set(key.id, key);
  }
  return keys;
}

function entries(file: string, content: Buffer): unknown[] {
  let json: unknown;
  try {
    json = JSON.parse(content.toString());
  } catch (cause) {
    throw new Error(`${file} is not JSON: ${String(cause)}`, { cause });
  }
  const keys = (json as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) throw new Error(`${file} has no list "keys"`);
  return keys;
}

const members = ["id", "user", "groups", "method", "publicKey"];

function parseKey(where: string, entry: unknown): AccessKey {
  if (typeof entry !== "object" || entry === null) throw new Error(`${where} is no object`);
  const { id, user, groups = [], method, publicKey } = entry as Record<string, unknown>;
  const unknown = Object.keys(entry).find((member) => !members.includes(member));
  if (unknown !== undefined) throw new Error(`${where}: unknown member "${unknown}"; known: ${members.join(", ")}`);
  if (!isText(id) || !isText(user) || !isText(publicKey)) throw new Error(`${where} needs id, user and publicKey`);
  if (!Array.isArray(groups) || !groups.every(isText)) throw new Error(`${where}: groups is no list of names`);
  if (!isMethod(method)) throw new Error(`${where}: method is none of ${Object.keys(methods).join(", ")}`);
  return { id, user, groups, method, publicKey: parsePublicKey(where, method, publicKey) };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isMethod(value: unknown): value is SignatureMethod {
  return typeof value === "string" && Object.hasOwn(methods, value);
}

function parsePublicKey(where: string, method: SignatureMethod, text: string): KeyObject {
  const { keyType } = methods[method];
  // Node would take the public half out of it, and the secret would stay in the file.
  if (text.includes("PRIVATE KEY")) throw new Error(`${where}: publicKey is a private key`);
  let key: KeyObject;
  try {
    key = text.startsWith("-----") ? createPublicKey(text) : rawEd25519(text);
  } catch (cause) {
    throw new Error(`${where}: publicKey cannot be read: ${String(cause)}`, { cause });
  }
  if (key.asymmetricKeyType !== keyType) {
    throw new Error(`${where}: publicKey is ${key.asymmetricKeyType}, and ${method} needs ${keyType}`);
  }
  if (keyType === "rsa" && (key.asymmetricKeyDetails?.modulusLength ?? 0) < leastRsaBits) {
    throw new Error(`${where}: publicKey is shorter than ${leastRsaBits} bits`);
  }
  return key;
}

function rawEd25519(base64: string): KeyObject {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length !== 32) throw new Error("neither PEM nor 32 bytes in base64");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") }, format: "jwk" });
}
