import { DrsError } from "../../engine/errors.ts";
import type { Identity } from "../callers/identity.ts";
import { ownRules } from "../gate/method-rule.ts";

/** The right that a method requires by its option `drs.v1.access`: `drscp/createBackup`. */
export type Right = string;

export const allRights: readonly Right[] = rightsOf(ownRules);
/** Those that let nobody change anything. */
export const readingRights: readonly Right[] = allRights.filter(
  (right) => !ownRules.some((rule) => rule.right === right && rule.changes),
);

/**
 * Throws PERMISSION_DENIED, naming the right, when the caller does not have it; UNAVAILABLE when the authority does not
 * answer. Asked before the request is looked at, so the answer is the same whether what it names exists or not.
 */
export type Authorize = (caller: Identity, right: Right, signal: AbortSignal) => Promise<void>;

/** The refusal. `how` says in other words what would have to be granted. */
export function denied({ name }: Identity, right: Right, how = ""): DrsError {
  return new DrsError("PERMISSION_DENIED", `${name} does not have the right ${right}${how}`, { id: "DRS-C012" });
}

function rightsOf(rules: typeof ownRules): readonly Right[] {
  return [...new Set(rules.map(({ right }) => right).filter((right) => right !== ""))];
}
