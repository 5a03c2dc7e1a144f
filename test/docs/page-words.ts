import { filledIn as gap } from "./job-messages.ts";

/** Whether a text of the source is one of the messages that stand between backticks in a page, or a part of it. */
export function explains(page: string, text: string): boolean {
  const words = wordsOf(text, gap);
  return messagesOf(page).some((message) => isWithin(message, text) || isWithin(words, message.join(" ")));
}

const pages = new Map<string, readonly (readonly string[])[]>();

/** Each message of a page, piece by piece. */
function messagesOf(page: string): readonly (readonly string[])[] {
  const known = pages.get(page);
  if (known) return known;
  const messages = [...page.matchAll(/`([^`]+)`/g)].map(([, cell = ""]) =>
    wordsOf(cell, /"?\.\.\."?|<[^>]+>|\bn of \d+|\bn\b/),
  );
  pages.set(page, messages);
  return messages;
}

/** What of a text is the same each time, piece by piece. */
function wordsOf(text: string, gaps: RegExp | string): readonly string[] {
  return text
    .split(gaps)
    .map((piece) => piece.trim())
    .filter((piece) => piece.length > 2);
}

/** Whether some pieces, of two words at least, stand in a text one after the other. */
function isWithin(pieces: readonly string[], text: string): boolean {
  const words = pieces.join(" ");
  if (words.length < 10 || !words.includes(" ")) return false;
  let at = 0;
  return pieces.every((piece) => {
    const found = text.indexOf(piece, at);
    at = found + piece.length;
    return found >= 0;
  });
}
