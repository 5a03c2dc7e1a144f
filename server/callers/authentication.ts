import type { Gate } from "../gate/gate.ts";
import type { Authorize } from "../rights/right.ts";
import { authenticate, type Authenticator, inOrder } from "./authenticator.ts";

/** The callers to let in. */
export interface Callers {
  /** At least one. */
  readonly authenticators: readonly Authenticator[];
  /** Missing: who is known may do everything. */
  readonly authorize?: Authorize;
}

/** Lets in authenticated callers, and notes them in the call; methods open to strangers are not authenticated. */
export function authentication(callers: Callers): Gate {
  const authenticators = inOrder(callers.authenticators);
  return {
    async enter(call, { rule }, signal) {
      if (rule.callers !== "anybody") call.identity = await authenticate(authenticators, call.request, signal);
    },
  };
}
