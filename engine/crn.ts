import { randomUUID } from "node:crypto";
import type { CrnConfig } from "./config.ts";
import { DrsError } from "./errors.ts";

const crnTypes = ["backup", "restore", "deleteBackup", "copy", "upkeep"] as const;
export type CrnType = (typeof crnTypes)[number];

export interface Crn {
  readonly type: CrnType;
  readonly uuid: string;
}

const part = "[A-Za-z0-9._-]{1,128}";
const uuid = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
const form = new RegExp(`^crn:${part}:drs:${part}:${part}:(?<type>\\w{1,64}):(?<uuid>${uuid})$`, "u");

/** The part of a caller's text that an error may repeat. */
const shownLength = 200;

/** A new CRN: `crn:altus:drs:us-west-1:<account>:backup:<uuid>`. */
export function makeCrn(type: CrnType, { partition, region, account }: CrnConfig): string {
  return `crn:${partition}:drs:${region}:${account}:${type}:${randomUUID()}`;
}

/**
 * Takes a CRN apart. Partition, region and account may be any: backups found in storage come from elsewhere. Throws
 * INVALID_ARGUMENT for a text that is not a CRN of this service, and for a CRN of a type that is not expected here.
 */
export function parseCrn(text: string, ...expected: readonly CrnType[]): Crn {
  const types = expected.length === 0 ? crnTypes : expected;
  const match = form.exec(text)?.groups;
  const type = types.find((candidate) => candidate === match?.["type"]);
  if (match?.["uuid"] === undefined || type === undefined) {
    const got = text.length > shownLength ? `${text.slice(0, shownLength).toWellFormed()}...` : text;
    throw new DrsError(
      "INVALID_ARGUMENT",
      `expected a CRN crn:<partition>:drs:<region>:<account>:${types.join("|")}:<uuid>, got ${JSON.stringify(got)}`,
    );
  }
  return { type, uuid: match["uuid"] };
}

/** The uuid of a CRN that is known to be one. */
export function uuidOf(crn: string): string {
  return crn.slice(crn.lastIndexOf(":") + 1);
}
