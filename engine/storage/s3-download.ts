import { Readable } from "node:stream";
import { GetObjectCommand, type S3Client, S3ServiceException } from "@aws-sdk/client-s3";

interface S3Object {
  readonly Bucket: string;
  readonly Key: string;
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly etag: string | undefined;
  readonly last: boolean;
}

/**
 * Downloads an object piece by piece, so that a reader that takes its time holds no connection open, and a connection that
 * breaks costs one piece. Rejects before the stream is given out when the object is not there. All pieces are of one
 * version of the object.
 */
export async function readInPieces(
  client: S3Client,
  object: S3Object,
  translate: (error: unknown) => unknown,
  signal: AbortSignal,
): Promise<Readable> {
  const next = async (offset: number, etag: string | undefined): Promise<Piece> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await readPiece(client, object, offset, etag, signal);
      } catch (error) {
        const answered = error instanceof S3ServiceException; // the client has repeated it where that is worth it
        if (answered || signal.aborted || attempt === attemptsForPiece) throw translate(error);
      }
    }
  };
  const first = await next(0, undefined);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield first.bytes;
    let offset = first.bytes.length;
    for (let last = first.last; !last;) {
      const piece = await next(offset, first.etag);
      yield piece.bytes;
      offset += piece.bytes.length;
      last = piece.last;
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}

const pieceSize = 8 * 1024 * 1024;
const attemptsForPiece = 3;

async function readPiece(
  client: S3Client,
  object: S3Object,
  offset: number,
  etag: string | undefined,
  signal: AbortSignal,
): Promise<Piece> {
  const range = { Range: `bytes=${offset}-${offset + pieceSize - 1}`, ...(etag !== undefined && { IfMatch: etag }) };
  try {
    const answer = await client.send(new GetObjectCommand({ ...object, ...range }), { abortSignal: signal });
    const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
    const size = Number(answer.ContentRange?.split("/")[1] ?? bytes.length);
    return { bytes, etag: answer.ETag, last: bytes.length === 0 || offset + bytes.length >= size };
  } catch (error) {
    const empty = error instanceof S3ServiceException && error.name === "InvalidRange" && offset === 0;
    if (empty) return { bytes: new Uint8Array(), etag: undefined, last: true };
    throw error;
  }
}
