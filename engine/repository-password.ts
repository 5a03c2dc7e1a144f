import { readKeyFile } from "./encryption/key-file.ts";

/** The passwords of the copies' repository, one for each key in a file, in their order. Errors as `readKeyFile`. */
export async function repositoryPasswords(keyFile: string): Promise<readonly string[]> {
  return (await readKeyFile(keyFile)).repositoryPasswords;
}
