import { DrsError } from "../../engine/errors.ts";
import type { ServerRequest } from "../http/call.ts";
import type { Gate } from "../gate/gate.ts";
import { isLoopback } from "../settings/parsers.ts";
import type { Callers } from "./authentication.ts";

/** Keeps foreign web pages out where nobody is asked who calls, and from callers known by a client certificate. */
export function foreignPages(callers: Callers | undefined): Gate {
  return {
    enter({ request, identity }, { rule }) {
      if (rule.callers === "anybody") return;
      if (!callers || identity?.provenBy === "client certificate") refuseForeignPages(request, !callers);
    },
  };
}

/**
 * Refuses a request that a browser sends for a foreign web page. For authentication without a secret that a page would have to
 * know: any page can make its reader's browser reach the loopback interface, and send the client certificate along.
 *
 * Other clients send no Origin.
 *
 * @param isAnybody Nothing is asked of callers: then only this machine's own names are an address of the service, and no
 *   name that somebody lets point here (DNS rebinding).
 */
function refuseForeignPages(request: ServerRequest, isAnybody: boolean): void {
  const { origin, host } = request.headers;
  if (origin === undefined) return;
  const page = URL.parse(origin);
  const service = page && URL.parse(`${page.protocol}//${"authority" in request ? request.authority : host}`);
  if (service && page.host === service.host && (!isAnybody || isLoopback(service.hostname))) return;
  throw new DrsError("PERMISSION_DENIED", "a web page of another origin may not call this service", { id: "DRS-C015" });
}
