import { earlierMessagesNote } from "../store/copy-store.ts";
import type { MessageRecord } from "../store/message-store.ts";
import type { Store } from "../store/store.ts";

/** What is to be said of the copy of a backup: while one that is tried again is not over, what the one before it had to say, too. */
export function messagesOfCopy({ copies, messages, notes }: Store, backupCrn: string): readonly MessageRecord[] {
  const copy = copies.last(backupCrn);
  if (copy === undefined) return [];
  const own = messages.list(copy.seq);
  if (copy.state !== "NOT_STARTED" && copy.state !== "IN_PROGRESS") return own;
  const earlier = notes.get<readonly Earlier[]>(copy.seq, earlierMessagesNote) ?? [];
  const said = new Set(own.map(({ text }) => text));
  return [
    ...earlier.filter(({ text }) => !said.has(text)).map((message) => ({ ...message, time: new Date(message.time) })),
    ...own,
  ];
}

/** As a note keeps it. */
interface Earlier extends Omit<MessageRecord, "time"> {
  readonly time: string;
}
