import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { EncryptionKey, KeyRing } from "../encryption/key-ring.ts";
import { damage } from "./damage.ts";
import { maxManifestLength, type Part, type EncryptedManifest, encryptedFormatVersion } from "./format.ts";
import { encryptFile, decryptFile } from "./encrypted-file.ts";

/** The bytes of an encrypted archive's manifest.json. */
export async function encryptManifest(
  manifest: Buffer,
  parts: readonly Part[],
  file: string,
  key: EncryptionKey,
): Promise<Buffer> {
  const sealed = await Array.fromAsync(encryptFile(once(zstdCompressSync(manifest)), file, key));
  const envelope: EncryptedManifest = {
    formatVersion: encryptedFormatVersion,
    keyId: key.id,
    parts: parts.map(({ file, size, sha256 }) => ({ file, size, sha256 })),
    sealed: Buffer.concat(sealed).toString("base64"),
  };
  return Buffer.from(`${JSON.stringify(envelope, null, 2)}\n`);
}

/** The decrypted manifest; nothing else of the envelope is trusted. Errors as `decryptFile`. */
export async function decryptManifest(envelope: object, file: string, keys: KeyRing | undefined): Promise<Buffer> {
  const { sealed } = envelope as { readonly sealed?: unknown };
  if (typeof sealed !== "string") throw damage(file, "the encrypted content is missing");
  const compressed = await Array.fromAsync(decryptFile(once(Buffer.from(sealed, "base64")), file, keys));
  return zstdDecompressSync(Buffer.concat(compressed), { maxOutputLength: maxManifestLength });
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
