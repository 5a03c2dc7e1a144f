import type { LogLevel, LogLine, LogStore } from "../store/log-store.ts";

/** As much as the API promises at most; some room is left for what a transport puts around it. */
export const maxLogBytes = 3 * 1_024 * 1_024;
/** More than the line about left-out lines takes. */
const noticeBytes = 128;

const levels: Readonly<Record<LogLevel, string>> = { info: "INFO ", warning: "WARN ", error: "ERROR" };
// oxlint-disable-next-line no-control-regex
const unprintable = /[\u0000-\u001F\u007F-\u009F\u2028\u2029]/gu;

/**
 * A job's log as text: one line an event, oldest first, with its code where it has one. Where it is longer than `maxBytes` of UTF-8, the newest lines are
 * kept, and the first line says how many are not shown.
 */
export function renderLog(logs: LogStore, job: number, maxBytes = maxLogBytes): string {
  const lines: string[] = [];
  let room = maxBytes - noticeBytes;
  for (const line of logs.newestFirst(job)) {
    const text = renderLine(line);
    room -= Buffer.byteLength(text);
    if (room < 0) {
      lines.push(`(${logs.count(job) - lines.length} older lines are not shown)\n`);
      break;
    }
    lines.push(text);
  }
  return lines.toReversed().join("");
}

function renderLine({ time, level, phase, code, text }: LogLine): string {
  const coded = code === undefined ? "" : `${code} `;
  return `${time.toISOString()} ${levels[level]} ${phase} ${coded}${text.replace(unprintable, escape)}\n`;
}

function escape(character: string): string {
  if (character === "\n") return "\\n";
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
