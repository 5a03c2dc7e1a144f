import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openStorage } from "../../../engine/storage/open-storage.ts";
import { S3ArchiveStorage } from "../../../engine/storage/s3-archive-storage.ts";

// What a real S3 server does not do on demand. The contract of a storage is proven against a real one by the cluster tests.

const { signal } = new AbortController();
const servers: Server[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** Breaks the connection after this much of the body. */
  readonly breakAfter?: number;
}

/** A storage whose server gives every request a set answer, and its requests. */
async function storageAnswering(answer: (request: IncomingMessage) => Answer): Promise<{
  storage: S3ArchiveStorage;
  requests: string[];
}> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    request.resume();
    request.on("end", () => {
      const { status, headers, body = "", breakAfter } = answer(request);
      const bytes = Buffer.from(body);
      response.writeHead(status, { "content-length": bytes.length, ...headers });
      if (breakAfter === undefined) response.end(bytes);
      else response.write(bytes.subarray(0, breakAfter), () => response.destroy());
    });
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const endpoint = `http://someone:hidden@127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: "key-of-the-test", secretAccessKey: "secret" };
  return {
    storage: new S3ArchiveStorage({ bucket: "drs", prefix: "p", endpoint, forcePathStyle: true, credentials }),
    requests,
  };
}

function s3Error(status: number, code: string): Answer {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>key-of-the-test is wrong</Message></Error>`;
  return { status, headers: { "content-type": "application/xml" }, body };
}

describe("a bucket's errors", () => {
  const cases: [status: number, name: string, code: string][] = [
    [404, "NoSuchKey", "NOT_FOUND"],
    [404, "NoSuchBucket", "FAILED_PRECONDITION"],
    [404, "SomethingElse", "INTERNAL"],
    [403, "AccessDenied", "PERMISSION_DENIED"],
    [403, "InvalidAccessKeyId", "PERMISSION_DENIED"],
    [403, "RequestTimeTooSkewed", "FAILED_PRECONDITION"],
    [503, "ServiceUnavailable", "UNAVAILABLE"],
    [500, "InternalError", "UNAVAILABLE"],
    [507, "XMinioStorageFull", "RESOURCE_EXHAUSTED"],
    [400, "EntityTooLarge", "INTERNAL"],
  ];
  test.each(cases)("%i %s is %s, names the bucket, and shows no credential", async (status, name, code) => {
    const { storage } = await storageAnswering(() => s3Error(status, name));
    for (const call of [
      () => storage.read("backups/a", signal),
      () => storage.write("backups/a", oneByte(), signal),
      () => storage.listFolder("backups/", signal),
    ]) {
      const error = await call().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code, message: expect.stringContaining("bucket drs/p at http://127.0.0.1:") });
      expect((error as Error).message).not.toMatch(/key-of-the-test|secret|hidden|undefined|KEY|STORAGE/);
    }
  });

  test("a server that is not there is UNAVAILABLE", async () => {
    const { storage } = await storageAnswering(() => ({ status: 200 }));
    servers[0]?.close();
    await expect(storage.check(signal)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});

test("a bucket whose region nothing says is refused when it is opened, with the setting", async () => {
  vi.stubEnv("AWS_REGION", undefined);
  vi.stubEnv("AWS_CONFIG_FILE", "/dev/null");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
  const bucket = { kind: "s3", bucket: "drs", prefix: "p", forcePathStyle: false } as const;
  await expect(openStorage(bucket)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "the region of bucket drs/p is not known: set --s3-region or AWS_REGION",
  });
  const storage = await openStorage({ ...bucket, region: "eu-1" });
  await storage.close();
});

async function* megabytes(count: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(1_000_000);
}

async function* oneByte(): AsyncGenerator<Buffer> {
  yield Buffer.from("x");
}

/** A server of one object that understands ranges. */
function objectOf(bytes: Buffer, range: string | undefined): Answer {
  const [, from = "0", to = "0"] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  const body = bytes.subarray(Number(from), Number(to) + 1);
  const end = Number(from) + body.length - 1;
  return { status: 206, headers: { etag: '"one"', "content-range": `bytes ${from}-${end}/${bytes.length}` }, body };
}

test("a download whose connection breaks is continued where it was", async () => {
  const bytes = Buffer.alloc(20_000_000, "0123456789abcdefg");
  let asked = 0;
  const { storage } = await storageAnswering((request) => {
    const answer = objectOf(bytes, request.headers.range);
    return ++asked % 2 === 1 ? { ...answer, breakAfter: 100_000 } : answer;
  });
  const read = Buffer.concat(await Array.fromAsync(await storage.read("backups/a", signal)));
  expect(read.equals(bytes)).toBe(true);
});

test("a download asks for one version of the object throughout", async () => {
  const matches: (string | undefined)[] = [];
  const { storage } = await storageAnswering((request) => {
    matches.push(request.headers["if-match"]);
    return matches.length > 1
      ? s3Error(412, "PreconditionFailed")
      : objectOf(Buffer.alloc(20_000_000), request.headers.range);
  });
  const reading = (async () => Array.fromAsync(await storage.read("backups/a", signal)))();
  await expect(reading).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(matches).toEqual([undefined, '"one"']);
});

test("a long upload that fails has its parts taken away", async () => {
  const { storage, requests } = await storageAnswering((request) => {
    if (request.url?.includes("uploads")) {
      const body = "<InitiateMultipartUploadResult><UploadId>id-1</UploadId></InitiateMultipartUploadResult>";
      return { status: 200, body };
    }
    if (request.method === "DELETE") return { status: 204 };
    return s3Error(403, "AccessDenied");
  });
  await expect(storage.write("backups/a", megabytes(20), signal)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  expect(requests.at(-1)).toMatch(/^DELETE \/drs\/p\/backups\/a\?uploadId=id-1/);
});
