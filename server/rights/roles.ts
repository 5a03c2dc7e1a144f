import { allRights, readingRights, type Right } from "./right.ts";

/** Ready sets of rights: the name the vendor gives to the one that this API asks for, and one that changes nothing. */
export const roles = {
  PowerUser: allRights,
  Auditor: readingRights,
} as const satisfies Record<string, readonly Right[]>;

export type Role = keyof typeof roles;
