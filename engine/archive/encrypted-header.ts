import type { MessageCode } from "../message-codes.ts";
import { createHash, createSecretKey, type KeyObject } from "node:crypto";
import type { EncryptionKey, KeyRing } from "../encryption/key-ring.ts";
import { DrsError } from "../errors.ts";
import { altered, damage } from "./damage.ts";

const format = "drs-sealed/1";
/** A header of ours has some 400 bytes. */
export const maxHeaderLength = 4_096;
export const streamIdLength = 7;

/** The header of an encrypted file. */
interface Header {
  /** The archive's folder and the file's name in it, so that no file is taken for another one. */
  readonly file: string;
  readonly keyId: string;
  readonly keyFingerprint: string;
  /** The file's own key, wrapped, in base64. */
  readonly dataKey: string;
  /** In hex; the beginning of each chunk's nonce. */
  readonly streamId: string;
}

/** The data needed to encrypt and decrypt the chunks of a file. */
export interface FileEncryption {
  readonly dataKey: KeyObject;
  readonly streamId: Buffer;
  /** The header's line, without its newline: each chunk is bound to it. */
  readonly line: Buffer;
}

export function writeHeader(file: string, key: EncryptionKey, dataKey: Buffer, streamId: Buffer): FileEncryption {
  const header: Header = {
    file,
    keyId: key.id,
    keyFingerprint: key.fingerprint,
    dataKey: key.wrap(dataKey, file).toString("base64"),
    streamId: streamId.toString("hex"),
  };
  const json = JSON.stringify(header);
  return { dataKey: createSecretKey(dataKey), streamId, line: Buffer.from(`${format} ${checksum(json)} ${json}`) };
}

/**
 * The content of the header, with the file's key unwrapped. DATA_LOSS when the header is damaged or another file's;
 * FAILED_PRECONDITION when its key is not among `keys`, or another one has its name there.
 */
export function readHeader(line: Buffer, file: string, keys: KeyRing | undefined): FileEncryption {
  const { file: named, keyId, keyFingerprint, dataKey: wrapped, streamId } = parse(line, file);
  if (named !== file) throw altered(file, `it is ${named}, put in its place`);
  const key = keys?.find(keyId);
  const wanted = `key ${keyId} (fingerprint ${keyFingerprint})`;
  if (!key)
    throw unreadable(
      "DRS-A005",
      file,
      `${wanted}, which the service does not have: add it to the file of --encryption-keys`,
    );
  if (key.fingerprint !== keyFingerprint)
    throw unreadable(
      "DRS-A006",
      file,
      `${wanted}, but the service's ${keyId} is another key (fingerprint ${key.fingerprint}): put the right one into the file of --encryption-keys`,
    );
  const dataKey = key.unwrap(Buffer.from(wrapped, "base64"), file);
  if (!dataKey) throw altered(file, "its header was changed by someone who does not have the key");
  return { dataKey: createSecretKey(dataKey), streamId: Buffer.from(streamId, "hex"), line };
}

/** The checksum distinguishes damage from a forged header; the key proves the header. */
function parse(line: Buffer, file: string): Header {
  const [, sum, json = ""] = /^drs-sealed\/1 ([0-9a-f]{64}) (\{.*\})$/.exec(line.toString("latin1")) ?? [];
  if (sum === undefined || checksum(json) !== sum) throw damage(file, "its header cannot be read");
  const header = JSON.parse(json) as Record<keyof Header, unknown>;
  const { file: named, keyId, keyFingerprint, dataKey, streamId } = header;
  const isHeader =
    typeof named === "string" &&
    typeof keyId === "string" &&
    typeof keyFingerprint === "string" &&
    typeof dataKey === "string" &&
    typeof streamId === "string" &&
    streamId.length === 2 * streamIdLength;
  if (!isHeader) throw damage(file, "its header is not one of ours");
  return { file: named, keyId, keyFingerprint, dataKey, streamId };
}

function checksum(json: string): string {
  return createHash("sha256").update(json).digest("hex");
}

function unreadable(id: MessageCode, file: string, reason: string): DrsError {
  return new DrsError("FAILED_PRECONDITION", `${file} is encrypted with ${reason}`, { id });
}
