import { Command } from "commander";
import { decryptArchive } from "../engine/decrypt-archive.ts";
import { codedMessage } from "../engine/errors.ts";
import { parseFile } from "./settings/parsers.ts";

interface Options {
  readonly encryptionKeys: string;
  readonly to: string;
}

const program = new Command("npm run decrypt --")
  .description("Writes an encrypted archive of a backup once more without encryption, to be read by hand.")
  .argument("<archive>", "its folder, .../backups/<uuid> or .../safety/<uuid>")
  .requiredOption("--encryption-keys <file>", "the service's keys", parseFile)
  .requiredOption(
    "--to <folder>",
    "where backups/<uuid> or safety/<uuid> is made: keep it as secret as the control plane's secrets",
  )
  .action(async (archive: string, { encryptionKeys, to }: Options) => {
    const made = await decryptArchive(archive, encryptionKeys, to, new AbortController().signal);
    process.stdout.write(`${made}\n`);
  });

/** The created files hold every secret of the control plane. */
process.umask(0o077);
program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`error: ${codedMessage(error)}\n`);
  process.exitCode = 1;
});
