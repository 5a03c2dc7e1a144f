import { readKeyFile } from "./encryption/key-file.ts";

/** What opens the repository of volumes' copies, of each key in a file, in their order. Errors as `readKeyFile`. */
export async function repositoryPasswords(keyFile: string): Promise<readonly string[]> {
  return (await readKeyFile(keyFile)).repositoryPasswords;
}
