import { Readable } from "node:stream";
import { DeleteObjectCommand, HeadObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "./archive-storage.ts";
import { readInPieces } from "./s3-download.ts";
import { translateS3Error } from "./s3-error.ts";
import { proveUsable } from "./storage-check.ts";
import { checkKey, checkPrefix, isKey } from "./storage-key.ts";

export interface S3StorageOptions {
  readonly bucket: string;
  /** Put before every key, without a slash at either end; empty for the bucket's top. */
  readonly prefix: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly forcePathStyle: boolean;
  /** For tests; else AWS's standard environment, profile or instance role. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/**
 * Archives in a bucket of AWS or of any S3-compatible server.
 *
 * S3 shows an object once it is whole, so nothing is renamed. Long files go up in parts, and a write that fails or is
 * cancelled has taken its parts away when it rejects.
 */
export class S3ArchiveStorage implements ArchiveStorage {
  readonly description: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(options: S3StorageOptions) {
    this.#bucket = options.bucket;
    this.#prefix = options.prefix === "" ? "" : `${options.prefix}/`;
    this.description = describe(options);
    this.#client = createClient(options);
  }

  /** Opens the bucket; FAILED_PRECONDITION when nothing says its region. Nothing is asked of the server. */
  static async open(options: S3StorageOptions): Promise<S3ArchiveStorage> {
    const storage = new S3ArchiveStorage(options);
    await storage.#client.config.region().catch((cause: unknown) => {
      const text = `the region of ${storage.description} is not known: set --s3-region or AWS_REGION`;
      throw new DrsError("FAILED_PRECONDITION", text, { id: "DRS-A011", cause });
    });
    return storage;
  }

  async write(key: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    checkKey(key);
    signal.throwIfAborted();
    // The body ends with the signal, not the upload: only a failing body makes it wait until its parts are taken away.
    const body = Readable.from(content, { signal });
    let failure: Error | undefined;
    body.on("error", (error: Error) => (failure = error));
    const params = { Bucket: this.#bucket, Key: this.#prefix + key, Body: body };
    const upload = new Upload({
      client: this.#client,
      params,
      partSize: uploadPartSize,
      queueSize: uploadsInFlight,
    });
    try {
      await upload.done();
    } catch (error) {
      // The body fails too when the upload gives it up; only what the upload failed with counts.
      throw error === failure ? error : translateS3Error(error, this.description, key, signal);
    }
  }

  async read(key: string, signal: AbortSignal): Promise<Readable> {
    checkKey(key);
    const translate = (error: unknown): unknown => translateS3Error(error, this.description, key, signal);
    return readInPieces(this.#client, { Bucket: this.#bucket, Key: this.#prefix + key }, translate, signal);
  }

  async size(key: string, signal: AbortSignal): Promise<number> {
    checkKey(key);
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key });
    const { ContentLength = 0 } = await this.#translated(key, signal, () =>
      this.#client.send(command, { abortSignal: signal }),
    );
    return ContentLength;
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<string> {
    checkPrefix(prefix);
    const from = { Bucket: this.#bucket, Prefix: this.#prefix + prefix };
    const pages = paginateListObjectsV2({ client: this.#client }, from, { abortSignal: signal });
    for (;;) {
      const page = await this.#translated(prefix, signal, () => pages.next());
      if (page.done === true) return;
      for (const { Key: found } of page.value.Contents ?? []) {
        const key = found?.slice(this.#prefix.length) ?? "";
        if (isKey(key)) yield key;
      }
    }
  }

  async listFolder(prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    checkPrefix(prefix);
    const from = { Bucket: this.#bucket, Prefix: this.#prefix + prefix, Delimiter: "/" };
    const names: string[] = [];
    await this.#translated(prefix, signal, async () => {
      for await (const page of paginateListObjectsV2({ client: this.#client }, from, { abortSignal: signal })) {
        const found = [
          ...(page.Contents ?? []).map((file) => file.Key),
          ...(page.CommonPrefixes ?? []).map((folder) => folder.Prefix),
        ];
        for (const key of found) names.push(key?.slice(from.Prefix.length) ?? "");
      }
    });
    return names.filter((name) => isKey(name.replace(/\/$/, ""))).sort();
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    checkKey(key);
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key });
    try {
      await this.#translated(key, signal, () => this.#client.send(command, { abortSignal: signal }));
    } catch (error) {
      if (!(error instanceof DrsError) || error.code !== "NOT_FOUND") throw error; // some servers say so
    }
  }

  async check(signal: AbortSignal): Promise<void> {
    await proveUsable(this, signal);
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #translated<T>(key: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    try {
      signal.throwIfAborted();
      return await call();
    } catch (error) {
      throw translateS3Error(error, this.description, key, signal);
    }
  }
}

/** Parts of this size reach 80 GB in S3's 10,000 parts; each one in flight is held in memory. */
const uploadPartSize = 8 * 1024 * 1024;
const uploadsInFlight = 2;
const connectionTimeout = 10_000;
const socketTimeout = 60_000;
/** The region expected by S3-compatible servers without regions. */
const regionOfOtherServers = "us-east-1";

function createClient({ endpoint, region, forcePathStyle, credentials }: S3StorageOptions): S3Client {
  const knownRegion = region ?? (endpoint === undefined ? undefined : regionOfOtherServers);
  return new S3Client({
    forcePathStyle,
    ...(endpoint !== undefined && { endpoint }),
    ...(knownRegion !== undefined && { region: knownRegion }),
    ...(credentials !== undefined && { credentials }),
    // Many servers do not know the newer checksums; the archive carries its own.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout, socketTimeout },
  });
}

/** Leaves out what an endpoint may hold besides the server: a user and a password. */
function describe({ bucket, prefix, endpoint }: S3StorageOptions): string {
  const place = prefix === "" ? `bucket ${bucket}` : `bucket ${bucket}/${prefix}`;
  if (endpoint === undefined) return place;
  return URL.canParse(endpoint) ? `${place} at ${new URL(endpoint).origin}` : place;
}
