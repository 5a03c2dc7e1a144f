import * as v from "valibot";
import type { KeyRing } from "../encryption/key-ring.ts";
import { DrsError } from "../errors.ts";
import { inShape } from "../shape.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { copiesFile } from "./archive-paths.ts";
import { damage, reasonOf } from "./damage.ts";
import { maxManifestLength } from "./format.ts";
import { encryptManifest, decryptManifest } from "./encrypted-manifest.ts";

/** Raised when a reader of the older format would misread the newer one. */
const copiesVersion = 1;

/** The copies of a backup's volumes: a file beside its manifest, which stays as it is. There is none before the first copy begins. */
export interface Copies extends CopiesSomewhere {
  readonly formatVersion: typeof copiesVersion;
  /** What a service with other repositories has copied before. */
  readonly former?: readonly CopiesSomewhere[] | undefined;
}

export interface CopiesSomewhere {
  /** The restic repository's URL when they were made. It may have been moved since. */
  readonly repository: string;
  readonly volumes: readonly CopiedVolume[];
}

export interface CopiedVolume {
  readonly namespace: string;
  readonly claim: string;
  /** The restic snapshot's id: all of its files, or of a block device the one file of its bytes. */
  readonly snapshotId: string;
  readonly mode: "Filesystem" | "Block";
  readonly bytes: number;
  readonly files: number;
  /** Of one that was read while applications could write: it is of no one moment. The archive's manifest does not have its volume. */
  readonly live?: LiveSource;
}

/** The volume that a live copy was read from, and when; times are RFC 3339. */
export interface LiveSource {
  readonly persistentVolume: string;
  /** Empty for none. */
  readonly storageClass: string;
  readonly from: string;
  readonly to: string;
}

const text = v.pipe(v.string(), v.maxLength(1_024));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const somewhere = {
  repository: text,
  volumes: v.array(
    v.object({
      namespace: text,
      claim: text,
      snapshotId: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
      mode: v.picklist(["Filesystem", "Block"]),
      bytes: count,
      files: count,
      live: v.exactOptional(v.object({ persistentVolume: text, storageClass: text, from: text, to: text })),
    }),
  ),
};
const schema = v.object({
  formatVersion: v.literal(copiesVersion),
  ...somewhere,
  former: v.optional(v.array(v.object(somewhere))),
});

/** Those in one repository, and those that are elsewhere since before. */
export function copiesIn(repository: string, found?: Copies): Copies {
  const all = found === undefined ? [] : [found, ...(found.former ?? [])];
  const here = all.find((one) => one.repository === repository);
  const former = all
    .filter((one) => one !== here)
    .map(({ repository: there, volumes }) => ({ repository: there, volumes }));
  const volumes = here?.volumes ?? [];
  return { formatVersion: copiesVersion, repository, volumes, ...(former.length > 0 && { former }) };
}

/** Writes the file whole, encrypted, in place of the former one. Nobody without a key can make another one. */
export async function writeCopies(
  storage: Pick<ArchiveStorage, "write">,
  folder: string,
  copies: Copies,
  keys: KeyRing,
  signal: AbortSignal,
): Promise<void> {
  const file = `${folder}/${copiesFile}`;
  const bytes = await encryptManifest(Buffer.from(JSON.stringify(copies)), [], file, keys.current);
  await storage.write(file, once(bytes), signal);
}

/** Undefined where there is none. DATA_LOSS when it is damaged, FAILED_PRECONDITION when `keys` do not have its key. */
export async function readCopies(
  storage: Pick<ArchiveStorage, "read">,
  folder: string,
  keys: KeyRing | undefined,
  signal: AbortSignal,
): Promise<Copies | undefined> {
  const file = `${folder}/${copiesFile}`;
  const bytes = await readWhole(storage, file, signal);
  if (bytes === undefined) return undefined;
  try {
    const envelope = inShape(v.looseObject({}), JSON.parse(bytes.toString()), "the file");
    const copies = await decryptManifest(envelope, file, keys);
    return inShape(schema, JSON.parse(copies.toString()), "the file");
  } catch (error) {
    throw error instanceof DrsError ? error : damage(file, reasonOf(error), error);
  }
}

async function readWhole(
  storage: Pick<ArchiveStorage, "read">,
  file: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of (await storage.read(file, signal)) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxManifestLength) throw damage(file, `it is longer than ${maxManifestLength} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof DrsError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
  return Buffer.concat(chunks);
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
