import type { Damage, DamagedCopy } from "../../store/upkeep-store.ts";

/** A line of `checkScript`, or of `restic check`. */
interface CheckLine {
  readonly message_type?: string;
  readonly message?: string;
  /** As in the tags of a restic snapshot: a uuid, and `<namespace>/<claim>`. */
  readonly backup?: string;
  readonly claim?: string;
}

/** How `restic check` ends where the repository is damaged: its exit code is that of any other error. */
const verdict = "repository contains errors";
/** Limit of the reported text. */
const shownLength = 300;

/** What a check that has failed says of damage; undefined when it has failed for another reason. */
export function damageIn(lines: readonly string[]): Damage | undefined {
  if (!lines.some((line) => line.includes(verdict))) return undefined;
  const said = lines.map(parse);
  const [first] = said.flatMap(({ message_type: type, message }) => (type === "error" && message ? [message] : []));
  const text =
    first === undefined ? verdict : first.replaceAll(/\s+/g, " ").trim().slice(0, shownLength).toWellFormed();
  const copies = new Map(said.flatMap(damagedCopy).map((copy) => [JSON.stringify(copy), copy]));
  return { text, copies: [...copies.values()] };
}

function damagedCopy({ message_type: type, backup: backupUuid, claim: name = "" }: CheckLine): readonly DamagedCopy[] {
  const [namespace = "", claim = ""] = name.split("/");
  return type === "damaged" && backupUuid !== undefined ? [{ backupUuid, namespace, claim }] : [];
}

function parse(line: string): CheckLine {
  try {
    return line.startsWith("{") ? (JSON.parse(line) as CheckLine) : {};
  } catch {
    return {}; // cut off
  }
}
