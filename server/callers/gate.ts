import { type HandlerContext } from "@connectrpc/connect";
import type { Logger } from "../../engine/logger.ts";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { type Call, currentCall } from "../call.ts";
import { codeName, toConnectError } from "../errors.ts";
import type { Authorize, Right } from "../rights/right.ts";
import { authenticate, type Authenticator, inOrder } from "./authenticator.ts";
import { refuseForeignPages } from "./web-pages.ts";

/** Who is let in. */
export interface Callers {
  /** At least one. */
  readonly authenticators: readonly Authenticator[];
  /** Missing: who is known may do everything. */
  readonly authorize?: Authorize;
}

/** What every call of every protocol has to pass before its body is read. Throws a ConnectError. */
export type Gate = (context: HandlerContext) => Promise<void>;

/**
 * Lets in who is known and has the method's right, and notes in the call who that is. Health is open to everybody;
 * without `callers`, everything is.
 */
export function createGate(callers: Callers | undefined, log: Logger): Gate {
  const authenticators = inOrder(callers?.authenticators ?? []);

  async function pass({ service, method, signal }: HandlerContext, call: Call): Promise<void> {
    if (!callers) return refuseForeignPages(call.request, true);
    const identity = await authenticate(authenticators, call.request, signal);
    call.identity = identity;
    if (identity.provenBy === "client certificate") refuseForeignPages(call.request, false);
    if (service.typeName !== DrscpService.typeName) return;
    await callers.authorize?.(identity, `drscp/${method.localName}` as Right, signal);
  }

  return async (context) => {
    if (context.service.typeName === Health.typeName) return;
    const call = context.values.get(currentCall);
    try {
      await pass(context, call);
    } catch (error) {
      const translated = toConnectError(error, call.requestId, log);
      call.outcome = codeName(translated.code);
      throw translated;
    }
  };
}
