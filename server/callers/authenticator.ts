import { DrsError } from "../../engine/errors.ts";
import type { ServerRequest } from "../http/call.ts";
import type { Identity, AuthMethod } from "./identity.ts";

/** One configured way. */
export interface Authenticator {
  readonly authMethod: AuthMethod;
  /**
   * Who sent the request, from its headers and connection; its body is not read yet. Undefined when it carries nothing
   * of this way.
   *
   * Throws a `DrsError`: UNAUTHENTICATED when what it carries proves nobody, in words that help no guesser, with the
   * reason for the log as its cause; UNAVAILABLE when whoever has to be asked does not answer.
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
 * Who sent the request, by the first way that applies: a wrong certificate is not made good by a valid token. Throws
 * what the authenticator throws, and UNAUTHENTICATED when no way applies.
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
  throw new DrsError("UNAUTHENTICATED", `who calls is not known: send ${authMethods}`, { id: "DRS-C001" });
}
