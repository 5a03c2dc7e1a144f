import { DrsError } from "../errors.ts";
import type { MessageCode } from "../message-codes.ts";

/** For an archive that differs from the one written, apparently by chance: nothing in it looks forged. */
export class DamageError extends DrsError {
  override readonly name = "DamageError";
}

/** The error for a file of an archive that differs from the one written. */
export function damage(file: string, reason: string, cause?: unknown): DamageError {
  return new DamageError("DATA_LOSS", `${file} is damaged: ${reason}; restore an older backup`, {
    id: "DRS-A002",
    cause,
  });
}

/** Why something is damaged. The JSON parser's own messages quote what they have met, which may be a secret. */
export function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return "it is not JSON";
  return error instanceof Error ? error.message : String(error);
}

/** The error for an encrypted file with pieces that are genuine, or look it, and do not belong there. */
export function altered(file: string, reason: string, id: MessageCode = "DRS-A003"): DrsError {
  return new DrsError(
    "DATA_LOSS",
    `${file} was altered: ${reason}; restore an older backup, and see who can write here`,
    { id },
  );
}
