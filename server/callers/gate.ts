import { Code, type HandlerContext } from "@connectrpc/connect";
import type { Logger } from "../../engine/logger.ts";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { currentCall } from "../call.ts";
import { toConnectError } from "../errors.ts";
import { authenticate, type Authenticator, type Identity, inOrder } from "./authenticator.ts";

/** A method's right, `drscp/createBackup`. */
export type Right = `drscp/${keyof typeof DrscpService.method}`;

/** Throws PERMISSION_DENIED, naming the right, when the caller does not have it. */
export type Authorize = (caller: Identity, right: Right, signal: AbortSignal) => Promise<void>;

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
  if (!callers) return () => Promise.resolve();
  const { authorize } = callers;
  const authenticators = inOrder(callers.authenticators);
  return async ({ service, method, values, signal }) => {
    if (service.typeName === Health.typeName) return;
    const call = values.get(currentCall);
    try {
      call.identity = await authenticate(authenticators, call.request, signal);
      if (service.typeName === DrscpService.typeName) {
        await authorize?.(call.identity, `drscp/${method.localName}` as Right, signal);
      }
    } catch (error) {
      const translated = toConnectError(error, call.requestId, log);
      call.outcome = Code[translated.code];
      throw translated;
    }
  };
}
