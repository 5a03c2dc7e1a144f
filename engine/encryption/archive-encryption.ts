import type { EncryptionConfig } from "../config.ts";
import type { Logger } from "../logger.ts";
import { isOpenToOthers, makeKeyFile, readKeyFile } from "./key-file.ts";
import type { KeyRing } from "./key-ring.ts";

/** How archives are encrypted. */
export interface ArchiveEncryption {
  readonly keys: KeyRing;
  /** Whether archives that are not encrypted, which anybody may have written, are read. */
  readonly readsUnencrypted: boolean;
}

/** Reads the keys, and makes the first one where that is wished. Errors as `readKeyFile`. */
export async function openEncryption(
  { keyFile, makeKey, isTemporary = false, readsUnencrypted }: EncryptionConfig,
  logger: Logger,
  now: Date,
): Promise<ArchiveEncryption> {
  if (makeKey && (await makeKeyFile(keyFile, now))) {
    if (isTemporary) logger.info({ keyFile }, "made a key that encrypts all backups and goes with them");
    else
      logger.warn(
        { keyFile },
        "made a key that encrypts all backups: keep a copy of this file elsewhere, without it they are lost",
      );
  }
  const keys = await readKeyFile(keyFile);
  if (await isOpenToOthers(keyFile))
    logger.warn(
      { code: "DRS-A014", keyFile },
      "other users can read or change the encryption keys: give the file mode 600",
    );
  logger.info({ keyFile, current: keys.current.id, keys: keys.ids.length }, "backups are encrypted");
  return { keys, readsUnencrypted };
}
