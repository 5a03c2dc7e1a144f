import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { type BigIntStats, createReadStream, type PathLike } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Fills a folder with files that are easily not restored as they were: owners, modes, attributes, access lists, holes, hard links,
 * sockets and the like, times to the nanosecond, names that are not UTF-8. Takes root.
 */
export async function makeOddFiles(folder: string): Promise<void> {
  await run(join(import.meta.dirname, "odd-files.sh"), [folder]);
}

/** All that is to be restored of a file, by name; what does not belong to its type is missing. */
export type FileFacts = Readonly<Record<string, string>>;
/** By path below the folder, which itself is `.`; a byte that is no ASCII letter, digit or sign is `\ooo`. */
export type Tree = ReadonlyMap<string, FileFacts>;

/**
 * Everything about the files of a folder and about itself, but for the times of access and change of state, and for where on the disk they
 * lie. Takes root.
 */
export async function readTree(folder: string): Promise<Tree> {
  const attributes = await readAttributes(folder);
  const firstOf = new Map<bigint, string>();
  const tree = new Map<string, FileFacts>();
  const read = async (name: Buffer) => {
    const path = printable(name);
    const place = Buffer.concat([Buffer.from(`${folder}/`), name]);
    const status = await lstat(place, { bigint: true });
    const facts = await factsOf(place, status);
    if (!status.isDirectory() && status.nlink > 1n) {
      const first = firstOf.get(status.ino) ?? path;
      firstOf.set(status.ino, first);
      facts["same file as"] = first;
    }
    tree.set(path, { ...facts, ...attributes.get(path) });
    if (!status.isDirectory()) return;
    const entries = await readdir(place, { encoding: "buffer" });
    for (const entry of entries.sort((a, b) => Buffer.compare(a, b)))
      await read(path === "." ? entry : Buffer.concat([name, Buffer.from("/"), entry]));
  };
  await read(Buffer.from("."));
  return tree;
}

/** One line for each file that is missing or new, and for each fact that is different. */
export function compareTrees(before: Tree, after: Tree): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (!was) return [`${path}: new (${is?.["type"]})`];
    if (!is) return [`${path}: missing (${was["type"]})`];
    return [...new Set([...Object.keys(was), ...Object.keys(is)])]
      .filter((fact) => was[fact] !== is[fact])
      .map((fact) => `${path}: ${fact} was ${was[fact] ?? "none"}, is ${is[fact] ?? "none"}`);
  });
}

const types = [
  ["file", "isFile"],
  ["folder", "isDirectory"],
  ["link", "isSymbolicLink"],
  ["fifo", "isFIFO"],
  ["socket", "isSocket"],
  ["character device", "isCharacterDevice"],
  ["block device", "isBlockDevice"],
] as const satisfies readonly (readonly [string, keyof BigIntStats])[];

async function factsOf(place: Buffer, status: BigIntStats): Promise<Record<string, string>> {
  const type = types.find(([, is]) => status[is]())?.[0] ?? "unknown";
  const facts: Record<string, string> = {
    type,
    mode: (status.mode & 0o7777n).toString(8),
    owner: `${status.uid}:${status.gid}`,
    modified: `${status.mtimeNs} ns`,
  };
  if (type === "file") {
    facts["size"] = String(status.size);
    facts["sha256"] = await digest(place);
    facts["holes"] = status.blocks * 512n < status.size / 2n ? "yes" : "no";
  }
  if (type === "link") facts["target"] = printable(await readlink(place, { encoding: "buffer" }));
  if (type.endsWith("device")) facts["device"] = String(status.rdev);
  return facts;
}

async function digest(place: PathLike): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(place), hash);
  return hash.digest("hex");
}

/** Extended attributes, access lists and capabilities among them. `getfattr` writes a name's odd bytes as `\ooo`. */
async function readAttributes(folder: string): Promise<Map<string, Record<string, string>>> {
  const command = ["--recursive", "--physical", "--no-dereference", "--match=-", "--dump", "--encoding=hex", "."];
  const { stdout } = await run("getfattr", command, { cwd: folder, encoding: "buffer", maxBuffer: 2 ** 30 });
  const found = new Map<string, Record<string, string>>();
  for (const block of stdout.toString("latin1").split("\n\n")) {
    const [header = "", ...lines] = block.split("\n").filter((line) => line !== "");
    const attributes = lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
    const path = header.replace("# file: ", "").replaceAll(/\\(\d{3})/g, (_, octal: string) => byte(octal));
    if (header !== "") found.set(printable(Buffer.from(path, "latin1")), Object.fromEntries(attributes));
  }
  return found;
}

function byte(octal: string): string {
  return String.fromCodePoint(Number.parseInt(octal, 8));
}

function printable(name: Buffer): string {
  return name
    .toString("latin1")
    .replaceAll(/[^!-[\]-~]/g, (char) => `\\${char.codePointAt(0)?.toString(8).padStart(3, "0")}`);
}
