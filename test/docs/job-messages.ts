import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The calls for a job's messages, final or of one object, with the text in place. */
const calls = /new (?:Drs|Store)Error\(\s*"(\w+)",|context\.(warn|error)\(|reportAbandoned\((?=\s*context)/g;
/** Returned to the caller, retried, or `internal error (...)`. */
const others = ["INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL"];
/** Stands for what a text is given when it is made. */
export const filledIn = "\u{2026}";

export interface JobMessage {
  readonly file: string;
  readonly text: string;
}

/** The texts of a job's messages as the source has them. Those that are put together elsewhere are not found. */
export async function jobMessages(root: string): Promise<readonly JobMessage[]> {
  const rooms = "{archive,backup,copy,deletion,encryption,jobs,kubernetes,objects,restore,storage,volumes}";
  const files = await Array.fromAsync(glob(`engine/${rooms}/**/*.ts`, { cwd: root }));
  const found = await Promise.all(
    files.map(async (file) => textsIn(await readFile(join(root, file), "utf8")).map((text) => ({ file, text }))),
  );
  return found.flat();
}

/** The texts that stand beside a message code, in the call that it is given to or the object that it is a member of. */
export function codedTexts(source: string): readonly { readonly code: string; readonly text: string }[] {
  return [...source.matchAll(/((?:id|code): )?"(DRS-\w+)"/g)].flatMap(({ 1: member, 2: code = "", index }) => {
    const start = startAround(source, index, member !== undefined);
    const text = start === undefined ? "" : literalsOf(argumentsFrom(source, start));
    return /\w+ \w+/.test(text) ? [{ code, text }] : [];
  });
}

/** Where the innermost call's arguments begin around a place, or its object's members, if that is no argument. */
function startAround(source: string, place: number, isMember: boolean): number | undefined {
  let depth = 0;
  for (let at = place - 1; at >= 0; at -= 1) {
    const character = source[at] ?? "";
    if (")}".includes(character)) depth += 1;
    else if ("({".includes(character) && (depth -= 1) < 0) {
      if (character === "(") return at + 1;
      if (!/[(,]\s*$/.test(source.slice(0, at))) return isMember ? at + 1 : undefined;
      depth = 0;
    }
  }
  return undefined;
}

function textsIn(source: string): readonly string[] {
  return [...source.matchAll(calls)].flatMap((call) => {
    if (call[1] !== undefined && others.includes(call[1])) return [];
    const text = literalsOf(argumentsFrom(source, call.index + call[0].length));
    return /\w+ \w+/.test(text) ? [text] : [];
  });
}

/** What stands between the parentheses of a call, or the braces of an object, from inside of them. */
function argumentsFrom(source: string, start: number): string {
  let depth = 1;
  for (let at = start; at < source.length; at += 1) {
    if ("({".includes(source[at] ?? "")) depth += 1;
    else if (")}".includes(source[at] ?? "") && (depth -= 1) === 0) return source.slice(start, at);
  }
  return source.slice(start);
}

/** The longest text among some arguments, of several literals with `+` between them. */
function literalsOf(code: string): string {
  const whole = withoutCode(code).replaceAll(/["`]\s*\+\s*["`]/g, "");
  const literals = [...whole.matchAll(/"([^"\n]*)"|`([^`]*)`/g)].map(([, plain, template]) => plain ?? template ?? "");
  return literals.reduce((longest, text) => (text.length > longest.length ? text : longest), "");
}

/** The innermost `${...}` first, as there may be others in them. */
function withoutCode(code: string): string {
  const next = code.replaceAll(/\$\{[^{}]*\}/g, filledIn);
  return next === code ? code : withoutCode(next);
}
