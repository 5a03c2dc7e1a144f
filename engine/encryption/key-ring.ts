import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import { encrypt, nonceLength, decrypt } from "./aes-gcm.ts";

export const keyLength = 32;

/**
 * A key-encryption key under a name. It encrypts no content itself: it wraps the random key that each file has of its own.
 * The bytes it works with are derived from it (HKDF, RFC 5869), one for each use.
 */
export class EncryptionKey {
  readonly id: string;
  /** Public: distinguishes two keys of the same id, and reveals nothing about either. */
  readonly fingerprint: string;
  readonly #repositoryPassword: string;
  readonly #wrapping: KeyObject;

  /** `secret` has 32 random bytes. */
  constructor(id: string, secret: Buffer) {
    this.id = id;
    this.fingerprint = derive(secret, "drs-sealed/1 fingerprint", 8).toString("hex");
    this.#repositoryPassword = derive(secret, "drs-copies/1 repository password", keyLength).toString("base64url");
    this.#wrapping = createSecretKey(derive(secret, "drs-sealed/1 wrapping", keyLength));
  }

  /** Opens the repository of volumes' copies. It does not depend on where that is, so that it can be moved. */
  get repositoryPassword(): string {
    return this.#repositoryPassword;
  }

  /** A file's own key as it may lie beside the file; it is unwrapped for the same file only. */
  wrap(dataKey: Buffer, file: string): Buffer {
    return Buffer.concat(encrypt(this.#wrapping, randomBytes(nonceLength), [dataKey], Buffer.from(file)));
  }

  /** Undefined when this key did not wrap it, or for another file. */
  unwrap(wrapped: Buffer, file: string): Buffer | undefined {
    const dataKey = decrypt(this.#wrapping, wrapped, Buffer.from(file));
    return dataKey?.length === keyLength ? dataKey : undefined;
  }
}

function derive(secret: Buffer, use: string, length: number): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", use, length));
}

/** The keys a service has: one that writes, and all that read. */
export class KeyRing {
  /** Encrypts everything written from now on. */
  readonly current: EncryptionKey;
  readonly #byId: ReadonlyMap<string, EncryptionKey>;

  constructor(current: EncryptionKey, ...older: readonly EncryptionKey[]) {
    this.current = current;
    this.#byId = new Map([current, ...older].map((key) => [key.id, key]));
  }

  get ids(): readonly string[] {
    return [...this.#byId.keys()];
  }

  /** The repository passwords of all keys, the current one's first. */
  get repositoryPasswords(): readonly string[] {
    return [...this.#byId.values()].map((key) => key.repositoryPassword);
  }

  find(id: string): EncryptionKey | undefined {
    return this.#byId.get(id);
  }
}
