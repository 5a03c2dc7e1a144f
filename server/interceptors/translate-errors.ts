import { type Interceptor } from "@connectrpc/connect";
import type { Logger } from "../../engine/logger.ts";
import { currentCall } from "../call.ts";
import { codeName, toConnectError } from "../errors.ts";

/** Turns what a handler throws into a ConnectError, and notes how the call ended. */
export function translateErrors(log: Logger): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(currentCall);
    try {
      const response = await next(request);
      call.outcome = "OK";
      return response;
    } catch (error) {
      const translated = toConnectError(error, call.requestId, log);
      call.outcome = codeName(translated.code);
      throw translated;
    }
  };
}
