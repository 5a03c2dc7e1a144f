import type { Logger } from "../../engine/logger.ts";
import type { Gate } from "./gate.ts";

/** A line in the service's own log for each call, without anything of its body. */
export function logging(log: Logger): Gate {
  return {
    replied({ isOneOfMany, request, response, outcome, messageCode: code, requestId, started }) {
      if (isOneOfMany) return;
      const ms = Math.round(performance.now() - started);
      const method = request.url?.split("?", 1)[0] ?? "";
      log.info({ method, status: response.statusCode, outcome, code, ms, requestId }, "call");
    },
  };
}
