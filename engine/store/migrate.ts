import { readdirSync, readFileSync } from "node:fs";
import type Sqlite from "better-sqlite3";
import { StoreError } from "./store-errors.ts";

const folder = new URL("./migrations/", import.meta.url);

/**
 * Applies the files of `migrations/` that the database has not seen, each in one transaction. Their numbers count up
 * from 1, and `user_version` is the last one applied. Refuses a database that a newer program has changed.
 */
export function migrate(sqlite: Sqlite.Database, file: string): void {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  const version = Number(sqlite.pragma("user_version", { simple: true }));
  if (version > names.length) {
    throw new StoreError(
      "FAILED_PRECONDITION",
      `database ${file} is of version ${version}, but this version of the service knows only version ${names.length}: start a newer one`,
      { id: "DRS-S008" },
    );
  }
  for (const [index, name] of names.entries()) {
    if (Number.parseInt(name, 10) !== index + 1) throw new Error(`migration ${name} is not number ${index + 1}`);
    if (index < version) continue;
    sqlite.transaction(() => {
      sqlite.exec(readFileSync(new URL(name, folder), "utf8"));
      sqlite.pragma(`user_version = ${index + 1}`);
    })();
  }
}
