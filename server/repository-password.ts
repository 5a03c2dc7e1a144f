import { Command } from "commander";
import { repositoryPasswords } from "../engine/repository-password.ts";
import { parseFile } from "./settings/parsers.ts";

const program = new Command("npm run -s repository-password --")
  .description(
    "Writes what opens the restic repository of volumes' copies: a line for each key, the first one's first.",
  )
  .requiredOption("--encryption-keys <file>", "the service's keys", parseFile)
  .action(async ({ encryptionKeys }: { encryptionKeys: string }) => {
    for (const password of await repositoryPasswords(encryptionKeys)) process.stdout.write(`${password}\n`);
  });

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
