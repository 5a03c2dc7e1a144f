import { DrsError } from "../../engine/errors.ts";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import type { Identity } from "../callers/authenticator.ts";

/** A method's right, `drscp/createBackup`. */
export type Right = `drscp/${keyof typeof DrscpService.method}`;

export const allRights = DrscpService.methods.map(({ localName }) => `drscp/${localName}` as Right);

/**
 * Throws PERMISSION_DENIED, naming the right, when the caller does not have it; UNAVAILABLE when whoever knows does not
 * answer. Asked before the request is looked at, so the answer is the same whether what it names exists or not.
 */
export type Authorize = (caller: Identity, right: Right, signal: AbortSignal) => Promise<void>;

/** The refusal. `how` says in other words what would have to be granted. */
export function denied({ name }: Identity, right: Right, how = ""): DrsError {
  return new DrsError("PERMISSION_DENIED", `${name} does not have the right ${right}${how}`);
}
