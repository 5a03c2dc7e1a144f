import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inFlight } from "../in-flight.ts";

/** The content of volumes that are copied: some of large files, half random, some of many small ones. */
export interface Contents {
  /** MiB of a volume of large files. */
  readonly size: number;
  /** Of a volume of small files, 1 KiB each. */
  readonly files: number;
}

const mib = 2 ** 20;
const large = 8 * mib;
const small = 1_024;
const inOneFolder = 1_000;

/** Of all that is written a part so small is written again, for a copy after a change. */
const changed = 0.01;

/** Files of 8 MiB, half random and half text. With `change` 1 % of them, anew. */
export async function writeLargeFiles(folder: string, { size }: Contents, change = false): Promise<void> {
  const count = Math.max(size / 8, 1);
  const wanted = change ? Math.max(Math.round(count * changed), 1) : count;
  for (let file = 0; file < wanted; file++) {
    const text = Buffer.alloc(large / 2, `line ${file} ${change ? "changed" : "of the first copy"}\n`);
    await writeFile(join(folder, `large-${file}`), Buffer.concat([randomBytes(large / 2), text]));
  }
}

/** Files of 1 KiB, half random, a thousand in a folder. With `change` 1 % of them, anew. */
export async function writeSmallFiles(folder: string, { files }: Contents, change = false): Promise<void> {
  const folders = Array.from({ length: Math.ceil(files / inOneFolder) }, (_, index) => index);
  const step = change ? 1 / changed : 1;
  await inFlight(folders, 4, async (index) => {
    const path = join(folder, `folder-${index}`);
    await mkdir(path, { recursive: true });
    for (let file = 0; file < Math.min(inOneFolder, files - index * inOneFolder); file += step)
      await writeFile(
        join(path, `small-${file}`),
        Buffer.concat([randomBytes(small / 2), Buffer.alloc(small / 2, "text ")]),
      );
  });
}
