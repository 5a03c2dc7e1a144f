import { createHash } from "node:crypto";
import { DrsError } from "../errors.ts";
import type { PageRequest } from "../model.ts";
import type { ListedJob } from "../store/job-record.ts";
import type { JobFilter, ListPosition } from "../store/job-store.ts";

/** How many items a page may hold. */
const maxPageSize = 1_000;

/** Limit of a token, in characters: several times as long as one of ours. */
const maxTokenLength = 255;

/** How many items the page holds at most. */
export function pageLimit({ pageSize }: PageRequest): number {
  if (pageSize < 0) throw new DrsError("INVALID_ARGUMENT", `pageSize must not be negative, as ${pageSize} is`);
  return pageSize === 0 ? maxPageSize : Math.min(pageSize, maxPageSize);
}

/**
 * The token of the page that begins after a job. It says where in the list that is, and of which list: the same place in
 * another list would silently leave something out.
 */
export function nextToken({ createdAt, seq }: ListedJob, filter: JobFilter): string {
  return Buffer.from(JSON.stringify([createdAt.getTime(), seq, digest(filter)])).toString("base64url");
}

/** Where the page begins; undefined for the first one. */
export function pageStart({ startingToken }: PageRequest, filter: JobFilter): ListPosition | undefined {
  if (startingToken === "") return undefined;
  const [createdMs, seq, list] = parts(startingToken);
  if (!isInteger(createdMs) || !isInteger(seq) || typeof list !== "string") {
    throw new DrsError(
      "INVALID_ARGUMENT",
      "startingToken is not a token of this service: send the nextToken of a page",
    );
  }
  if (list !== digest(filter)) {
    throw new DrsError(
      "INVALID_ARGUMENT",
      "startingToken belongs to a list with other filters: send the same filters with it",
    );
  }
  return { createdMs, seq };
}

function parts(token: string): readonly unknown[] {
  if (token.length > maxTokenLength) return [];
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** Enough of a digest to distinguish lists. */
function digest({ kind, displayName, backupCrn, states }: JobFilter): string {
  const text = JSON.stringify([kind, displayName, backupCrn, [...new Set(states)].sort()]);
  return createHash("sha256").update(text).digest("base64url").slice(0, 11);
}
