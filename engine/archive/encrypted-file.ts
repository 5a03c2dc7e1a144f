import { randomBytes } from "node:crypto";
import { envelopeOverhead, encrypt, nonceLength, decrypt } from "../encryption/aes-gcm.ts";
import { type EncryptionKey, keyLength, type KeyRing } from "../encryption/key-ring.ts";
import { type Block, blocks } from "./blocks.ts";
import { altered, damage } from "./damage.ts";
import { maxHeaderLength, readHeader, type FileEncryption, streamIdLength, writeHeader } from "./encrypted-header.ts";

/** Bytes of a chunk before it is encrypted; all but the last have so many. */
const chunkSize = 64 * 1024;
const newline = 0x0a;

/**
 * Encrypts a stream under a random key of its own, which `key` wraps. The nonce of each chunk holds its number and whether
 * it is the last, so that chunks cannot be left out, exchanged or cut off unnoticed: the STREAM construction of
 * https://eprint.iacr.org/2015/189. `file` is the archive's folder and the file's name in it.
 */
export async function* encryptFile(
  content: AsyncIterable<Buffer>,
  file: string,
  key: EncryptionKey,
): AsyncGenerator<Buffer> {
  const encryption = writeHeader(file, key, randomBytes(keyLength), randomBytes(streamIdLength));
  yield Buffer.concat([encryption.line, Buffer.of(newline)]);
  let index = 0;
  for await (const { pieces, isLast } of blocks(content, chunkSize))
    yield* encrypt(encryption.dataKey, nonceOf(encryption.streamId, index++, isLast), pieces, encryption.line);
}

/**
 * The content of an encrypted file. Yields only authentic chunks in their places; that nothing is missing at the end is
 * proven when the iteration has ended. Errors as `readHeader`, and DATA_LOSS for a chunk that is damaged or misplaced.
 */
export async function* decryptFile(
  stored: AsyncIterable<Buffer>,
  file: string,
  keys: KeyRing | undefined,
): AsyncGenerator<Buffer> {
  let encryption: FileEncryption | undefined;
  const chunks = afterHeader(stored, file, (line) => (encryption = readHeader(line, file, keys)));
  let index = 0;
  for await (const block of blocks(chunks, chunkSize + envelopeOverhead)) {
    if (encryption === undefined) throw damage(file, "its header is cut off");
    yield openChunk(encryption, block, index++, file);
  }
}

async function* afterHeader(
  stored: AsyncIterable<Buffer>,
  file: string,
  onHeader: (line: Buffer) => void,
): AsyncGenerator<Buffer> {
  let begun: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of stored) {
    if (begun === undefined) {
      yield chunk;
      continue;
    }
    begun = Buffer.concat([begun, chunk]);
    const end = begun.indexOf(newline);
    if (end > maxHeaderLength || (end < 0 && begun.length > maxHeaderLength))
      throw damage(file, "its header cannot be read");
    if (end < 0) continue;
    onHeader(begun.subarray(0, end));
    yield begun.subarray(end + 1);
    begun = undefined;
  }
}

function openChunk(
  { dataKey, streamId, line }: FileEncryption,
  { pieces, isLast }: Block,
  index: number,
  file: string,
): Buffer {
  const [only] = pieces;
  const bytes = only && pieces.length === 1 ? only : Buffer.concat(pieces);
  const expected = nonceOf(streamId, index, isLast);
  const content = decrypt(dataKey, bytes, line, expected);
  const nonce = bytes.subarray(0, nonceLength);
  if (content && nonce.equals(expected)) return content;
  // From here on only what to say is looked for.
  if (content || nonce.length < nonceLength || nonce.equals(expected)) throw damage(file, `chunk ${index} is damaged`);
  if (!nonce.subarray(0, streamIdLength).equals(streamId)) throw altered(file, `chunk ${index} is another file's`);
  const number = nonce.readUInt32BE(streamIdLength);
  if (number === index)
    throw isLast
      ? damage(file, `it is cut off after chunk ${index}`)
      : altered(file, `more follows its last chunk, ${index}`);
  if (decrypt(dataKey, bytes, line)) throw altered(file, `chunk ${number} is in the place of chunk ${index}`);
  throw damage(file, `chunk ${index} is damaged`);
}

function nonceOf(streamId: Buffer, index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(nonceLength);
  streamId.copy(nonce);
  nonce.writeUInt32BE(index, streamIdLength);
  nonce.writeUInt8(isLast ? 1 : 0, nonceLength - 1);
  return nonce;
}
