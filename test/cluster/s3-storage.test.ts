import { afterAll, beforeAll } from "vitest";
import { S3ArchiveStorage } from "../../engine/storage/s3-archive-storage.ts";
import { archiveStorageContract } from "../contract/archive-storage.ts";
import { type S3Server, startS3Server } from "./support/s3-server.ts";

let s3: S3Server;

beforeAll(async () => {
  s3 = await startS3Server();
});

afterAll(async () => s3?.stop());

archiveStorageContract("a bucket of an S3 server", () => openStorage("some/prefix"));
archiveStorageContract("the top of a bucket of an S3 server", () => openStorage(""));

async function openStorage(prefix: string): Promise<S3ArchiveStorage> {
  const { bucket, endpoint, credentials } = s3;
  return new S3ArchiveStorage({ bucket, prefix, endpoint, region: "us-east-1", forcePathStyle: true, credentials });
}
