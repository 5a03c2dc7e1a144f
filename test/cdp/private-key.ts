import { createPublicKey, type KeyObject } from "node:crypto";
import type { SigningKey } from "../support/cdp-signer.ts";

/** The private half of an access key as `cdp` takes it: 32 bytes in base64 for ed25519v1, else PKCS #8 as PEM. */
export function privateHalf({ method, privateKey }: SigningKey): string {
  switch (method) {
    case "ed25519v1":
      return Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url").toString("base64");
    case "rsav1":
      return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    case "ecdsav1":
      return `-----BEGIN PRIVATE KEY-----\n${withCurve(privateKey).toString("base64")}\n-----END PRIVATE KEY-----\n`;
  }
}

/**
 * PKCS #8 whose key names its curve itself, an optional member of RFC 5915 without which `cdp` does not read it. Node and
 * OpenSSL leave it out, as the curve is named beside the key.
 */
function withCurve(privateKey: KeyObject): Buffer {
  const version = Buffer.from([0x02, 1, 0]);
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const key = privateKey.export({ type: "sec1", format: "der" });
  return element(0x30, version, firstOf(spki), element(0x04, key));
}

/** An element of DER, of less than 64 KiB. */
function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

/** The first element, a short one, in an element of DER. */
function firstOf(whole: Buffer): Buffer {
  const lengthByte = whole.readUInt8(1);
  const start = lengthByte < 0x80 ? 2 : 2 + (lengthByte & 0x7f);
  return whole.subarray(start, start + 2 + whole.readUInt8(start + 1));
}
