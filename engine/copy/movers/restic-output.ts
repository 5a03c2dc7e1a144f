/** How far restic is, by its `status` lines. */
export interface Progress {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly files: number;
  readonly totalFiles: number;
}

/** The size of a copy, by restic's `summary` line. */
export interface CopySummary {
  /** The restic snapshot's id. */
  readonly snapshotId: string;
  readonly bytes: number;
  readonly files: number;
  /** The growth of the repository. */
  readonly addedBytes: number;
}

/** https://restic.readthedocs.io/en/v0.18.1/075_scripting.html#json-output */
interface ResticLine {
  readonly message_type?: string;
  readonly bytes_done?: number;
  readonly total_bytes?: number;
  readonly files_done?: number;
  /** Of a restore. */
  readonly bytes_restored?: number;
  readonly files_restored?: number;
  readonly total_files?: number;
  readonly snapshot_id?: string;
  readonly total_bytes_processed?: number;
  readonly total_files_processed?: number;
  readonly data_added_packed?: number;
  readonly message?: string;
  readonly item?: string;
  /** Of a script of movers. */
  readonly bytes_read?: number;
  readonly snapshot?: string;
  readonly faults?: number;
}

/** The last progress reported in some lines; undefined when there is none. */
export function progressIn(lines: readonly string[]): Progress | undefined {
  const status = lines.map(parse).findLast(({ message_type }) => message_type === "status");
  if (status === undefined) return undefined;
  const { total_bytes: totalBytes = 0, total_files: totalFiles = 0 } = status;
  const bytes = status.bytes_done ?? status.bytes_restored ?? 0;
  const files = status.files_done ?? status.files_restored ?? 0;
  return { bytes, totalBytes, files, totalFiles };
}

/** The last that some lines say of how much restic has read; undefined when they do not. */
export function bytesReadIn(lines: readonly string[]): number | undefined {
  return lines.map(parse).findLast(({ message_type }) => message_type === "reads")?.bytes_read;
}

/** What a look at copies has found, by restic's snapshots. */
export interface Check {
  readonly faults: number;
  /** Of many those that came last. */
  readonly bySnapshot: ReadonlyMap<string, string>;
}

/** The outcome of a completed check; undefined when the lines do not have it. */
export function checkIn(lines: readonly string[]): Check | undefined {
  const parsed = lines.map(parse);
  const end = parsed.findLast(({ message_type }) => message_type === "checked");
  if (end?.faults === undefined) return undefined;
  const found = parsed.filter(({ message_type }) => message_type === "fault");
  const bySnapshot = new Map(found.map(({ snapshot = "", message = "" }) => [snapshot, inShort(message)]));
  return { faults: end.faults, bySnapshot };
}

/** The summary of a completed backup; undefined when the lines do not have it. */
export function summaryIn(lines: readonly string[]): CopySummary | undefined {
  const summary = lines.map(parse).findLast(({ message_type }) => message_type === "summary");
  if (summary?.snapshot_id === undefined) return undefined;
  return {
    snapshotId: summary.snapshot_id,
    bytes: summary.total_bytes_processed ?? 0,
    files: summary.total_files_processed ?? 0,
    addedBytes: summary.data_added_packed ?? 0,
  };
}

/** The meanings of restic's exit codes, and the remedies. https://restic.readthedocs.io/en/v0.18.1/075_scripting.html#exit-codes */
const reasons: Readonly<Record<number, string>> = {
  3: "some of its files could not be read",
  10: "there is no repository: see --copies-repository, and whether the bucket exists",
  11: "the repository is locked: another program works on it, or died less than 30 minutes ago; try again later",
  12: "none of the service's encryption keys opens the repository: add the key that it was made with to --encryption-keys",
  130: "it was interrupted",
  137: "it was killed: raise the memory of --copies-resources if it needs more",
};

/** Why restic has failed: by its exit code, and in its own words. */
export function failureOf(exitCode: number, lines: readonly string[]): string {
  const known = reasons[exitCode] ?? `restic ended with exit code ${exitCode}`;
  const said = saidIn(lines);
  return said === "" ? known : `${known} (${said})`;
}

/** Limit of the reported text of an error: one may name many files. */
const shownLength = 500;

/** What restic complains of in some lines; empty when it does not. */
export function saidIn(lines: readonly string[]): string {
  const parsed = lines.map(parse);
  const unread = parsed.filter(({ message_type, item }) => message_type === "error" && item !== undefined);
  const error = parsed.findLast(({ message_type }) => message_type === "exit_error")?.message;
  const text = unread.length > 0 ? unread.map(({ item }) => item).join(", ") : (error ?? plainEnd(lines));
  return inShort(text);
}

function inShort(text: string): string {
  const line = text
    .replace(/^Fatal: /, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length <= shownLength ? line : `${line.slice(0, shownLength).toWellFormed()}...`;
}

/** The last line that is not JSON, such as the shell's own complaint. */
function plainEnd(lines: readonly string[]): string {
  return lines.findLast((line) => line.trim() !== "" && !line.startsWith("{")) ?? "";
}

function parse(line: string): ResticLine {
  if (!line.startsWith("{")) return {};
  try {
    return JSON.parse(line) as ResticLine;
  } catch {
    return {}; // cut off
  }
}
