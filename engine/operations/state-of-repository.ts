import { uuidOf } from "../crn.ts";
import type { RepositoryState } from "../engine.ts";
import type { MessageRecord } from "../store/message-store.ts";
import type { Store } from "../store/store.ts";
import { checkedNote, type Damage, damageNote } from "../store/upkeep-store.ts";

/** The state of the repository of copies, as the last checks have found it. */
export function repositoryState({ notes, upkeep }: Store): RepositoryState {
  const seq = upkeep.last()?.seq;
  const checked = seq === undefined ? undefined : notes.get<string>(seq, checkedNote);
  return {
    checkedAt: checked === undefined ? undefined : new Date(checked),
    isDamaged: seq !== undefined && notes.get(seq, damageNote) !== undefined,
  };
}

/** What the last checks have found damaged of a backup's copies, until they find it whole. */
export function damagesOf({ notes, upkeep }: Store, backupCrn: string): readonly MessageRecord[] {
  const last = upkeep.last();
  const damage = last && notes.get<Damage>(last.seq, damageNote);
  if (last === undefined || damage === undefined) return [];
  return damage.copies
    .filter(({ backupUuid }) => backupUuid === uuidOf(backupCrn))
    .map(({ namespace, claim }) => ({
      level: "warning",
      namespace,
      text: `the copy of claim ${claim} is damaged in the repository: ${damage.text}`,
      code: "DRS-V018",
      time: last.updatedAt,
    }));
}
