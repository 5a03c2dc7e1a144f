import { allRights, type Right } from "./right.ts";

/** Ready sets of rights: the name the vendor gives to the one that this API asks for, and one that changes nothing. */
export const roles = {
  PowerUser: allRights,
  Auditor: allRights.filter((right) => /^drscp\/(describe|get|list)/.test(right)),
} as const satisfies Record<string, readonly Right[]>;

export type Role = keyof typeof roles;
