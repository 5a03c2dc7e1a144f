import { DrsError } from "../../engine/errors.ts";
import type { ServerRequest } from "../http/call.ts";
import type { Identity, AuthMethod } from "./identity.ts";

/** One configured authentication method. */
export interface Authenticator {
  readonly authMethod: AuthMethod;
  /**
   * The sender of the request, from its headers and connection; its body is not read yet. Undefined when it carries nothing
   * of this method.
   *
   * Throws a `DrsError`: UNAUTHENTICATED when its proof is wrong, in words that help no guesser, with the
   * reason for the log as its cause; UNAVAILABLE when the authority to be asked does not answer.
   *
   * @param signal Aborted when nobody waits for the answer any more.
   */
  authenticate(request: ServerRequest, signal: AbortSignal): Promise<Identity | undefined>;
}

/** In this order they are tried, whatever order they are configured in. */
const order: readonly AuthMethod[] = ["client certificate", "CDP signature", "bearer token"];

export function inOrder(authenticators: readonly Authenticator[]): readonly Authenticator[] {
  return authenticators.toSorted((a, b) => order.indexOf(a.authMethod) - order.indexOf(b.authMethod));
}

/**
 * The sender of the request, by the first method that applies: a valid token does not make up for a wrong certificate. Throws
 * the authenticator's errors, and UNAUTHENTICATED when no method applies.
 */
export async function authenticate(
  authenticators: readonly Authenticator[],
  request: ServerRequest,
  signal: AbortSignal,
): Promise<Identity> {
  for (const authenticator of authenticators) {
    const identity = await authenticator.authenticate(request, signal);
    if (identity) return identity;
  }
  const authMethods = authenticators.map(({ authMethod }) => `a ${authMethod}`).join(" or ");
  throw new DrsError("UNAUTHENTICATED", `the caller is unknown: send ${authMethods}`, { id: "DRS-C001" });
}
