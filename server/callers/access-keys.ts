import { createPublicKey, type KeyObject, verify as verifyWithCallback } from "node:crypto";
import { promisify } from "node:util";
import * as v from "valibot";
import { filledText, jsonInShape } from "../../engine/shape.ts";

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
  for (const [index, { publicKey, ...entry }] of parse(file, content).keys.entries()) {
    const where = `${file}: keys[${index}]`;
    if (keys.has(entry.id)) throw new Error(`${where}: there is another key ${entry.id}`);
    keys.set(entry.id, { ...entry, publicKey: parsePublicKey(where, entry.method, publicKey) });
  }
  return keys;
}

function parse(file: string, content: Buffer): v.InferOutput<typeof keysFile> {
  try {
    return jsonInShape(keysFile, content.toString(), "the file");
  } catch (cause) {
    throw new Error(`${file}: ${(cause as Error).message}`, { cause });
  }
}

const keysFile = v.strictObject({
  keys: v.array(
    v.strictObject({
      id: filledText,
      user: filledText,
      groups: v.optional(v.array(filledText), []),
      method: v.picklist(Object.keys(methods) as SignatureMethod[]),
      publicKey: filledText,
    }),
  ),
});

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
