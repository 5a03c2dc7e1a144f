import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { messageCodes, retiredCodes } from "../../engine/message-codes.ts";
import { codedTexts } from "./job-messages.ts";
import { explains } from "./page-words.ts";

const root = join(import.meta.dirname, "../..");
const registry = "engine/message-codes.ts";
const code = /DRS-[A-Z]\d{3}/g;

test("each message code is the first cell of one row of the operations page, and each row of messages has one", async () => {
  const page = await readFile(join(root, "docs/operations.md"), "utf8");
  const rows = [...page.matchAll(/^\| code \|.*\n\|---.*\n((?:\|.*\n)+)/gm)].flatMap(([, rows = ""]) =>
    rows.trim().split("\n"),
  );
  // What stands only within another message has no code of its own.
  const cells = rows.map((row) => row.split("|")[1]?.trim() ?? "").filter((cell) => !cell.startsWith("in DRS-"));
  expect(cells.toSorted()).toEqual([...messageCodes].toSorted());
  const named = [...page.matchAll(code)].map(([name]) => name);
  expect(named.filter((name) => !messageCodes.some((known) => known === name))).toEqual([]);
});

test("each message code has a message, and no code stands in the source that is none", async () => {
  const files = await Array.fromAsync(glob("{engine,server}/**/*.ts", { cwd: root }));
  const sources = await Promise.all(
    files.filter((file) => file !== registry).map((file) => readFile(join(root, file), "utf8")),
  );
  const used = new Set(sources.flatMap((source) => source.match(code) ?? []));
  expect([...used].toSorted()).toEqual([...messageCodes].toSorted());
});

test("a message has the code of the row that explains it", async () => {
  const page = await readFile(join(root, "docs/operations.md"), "utf8");
  const rows = new Map([...page.matchAll(/^\| (DRS-\w+) \| .*/gm)].map(([row, name = ""]) => [name, row]));
  const files = await Array.fromAsync(glob("{engine,server}/**/*.ts", { cwd: root }));
  const sources = await Promise.all(files.map((file) => readFile(join(root, file), "utf8")));
  const told = sources.flatMap(codedTexts);
  expect(told.length).toBeGreaterThan(100);
  expect(told.filter(({ code, text }) => !explains(rows.get(code) ?? "", text))).toEqual([]);
});

test("no message code was ever another message's: those of a letter are numbered without gaps, in use or retired", () => {
  const given: readonly string[] = [...messageCodes, ...retiredCodes];
  const byLetter = Map.groupBy(given, (name) => name.slice(0, 5));
  for (const [letter, names] of byLetter)
    expect(names.toSorted()).toEqual(names.map((_, index) => letter + String(index + 1).padStart(3, "0")));
});
