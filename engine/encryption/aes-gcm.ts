import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";

const algorithm = "aes-256-gcm";
export const nonceLength = 12;
const tagLength = 16;

/** How many more bytes an envelope has than its content. */
export const envelopeOverhead = nonceLength + tagLength;

/**
 * Encrypts and authenticates: the nonce, the ciphertext and the tag, one after the other, in pieces, as the content may be.
 * A nonce must not be used twice with one key. `context` is authenticated too, and not stored.
 * https://csrc.nist.gov/pubs/sp/800/38/d/final
 */
export function encrypt(key: KeyObject, nonce: Buffer, content: readonly Buffer[], context: Buffer): Buffer[] {
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagLength });
  cipher.setAAD(context);
  const ciphertext = content.map((piece) => cipher.update(piece));
  cipher.final();
  return [nonce, ...ciphertext, cipher.getAuthTag()];
}

/** The content of an envelope, if it was encrypted with this key and context, and with this nonce where one is given. */
export function decrypt(
  key: KeyObject,
  envelope: Buffer,
  context: Buffer,
  nonce: Buffer = envelope.subarray(0, nonceLength),
): Buffer | undefined {
  if (envelope.length < envelopeOverhead) return undefined;
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagLength });
  decipher.setAAD(context);
  decipher.setAuthTag(envelope.subarray(envelope.length - tagLength));
  const content = decipher.update(envelope.subarray(nonceLength, envelope.length - tagLength));
  try {
    decipher.final();
    return content;
  } catch {
    return undefined;
  }
}
