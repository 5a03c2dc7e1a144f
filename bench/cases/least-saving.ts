import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, zstdCompressSync } from "node:zlib";
import type { Account } from "../account.ts";
import type { BareClient } from "../bare-client.ts";
import { inFlight, seconds } from "../in-flight.ts";

const frameSize = 1024 * 1024;

/** Why a backup cannot be as fast as lists that nobody keeps: what these leave of the cores, and what it has to do besides. */
export interface LeastSaving {
  /** CPU seconds of the API server and of the client, for the lists alone. */
  readonly lists: number;
  /** CPU seconds of what no backup can do without, on the lists' bytes. */
  readonly keeping: number;
  /** How many times as long as the lists it takes if all cores do nothing else and none ever waits. */
  readonly ratio: number;
}

/** Measures it on the collections at these paths. */
export async function leastSaving(
  account: Account,
  client: BareClient,
  paths: readonly string[],
  atOnce: number,
): Promise<LeastSaving> {
  const early = await account.apiServerSeconds();
  const server = await account.apiServerSeconds();
  const asking = server - early;
  const own = process.cpuUsage();
  const time = await seconds(() => inFlight(paths, atOnce, (path) => client.readPages(path)));
  const lists = cpuSeconds(own) + (await account.apiServerSeconds()) - server - asking;
  const pages: Buffer[] = [];
  for (const path of paths) for await (const bytes of client.pages(path)) pages.push(bytes);
  const keeping = await cpuOfKeeping(Buffer.concat(pages));
  return { lists, keeping, ratio: (lists + keeping) / (availableParallelism() * time) };
}

/** CPU seconds of compressing, encrypting, digesting and writing bytes, without anything around it. */
async function cpuOfKeeping(bytes: Buffer): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "drs-bench-"));
  const cipher = createCipheriv("aes-256-gcm", randomBytes(32), randomBytes(12));
  const digest = createHash("sha256");
  const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
  function* kept(): Generator<Buffer> {
    for (let start = 0; start < bytes.length; start += frameSize) {
      const encrypted = cipher.update(zstdCompressSync(bytes.subarray(start, start + frameSize), level));
      digest.update(encrypted);
      yield encrypted;
    }
  }
  try {
    const start = process.cpuUsage();
    await pipeline(kept(), createWriteStream(join(folder, "kept")));
    return cpuSeconds(start);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000_000;
}
