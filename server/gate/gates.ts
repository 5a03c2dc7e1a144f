import { AuditGate } from "../audit/audit-gate.ts";
import { authentication } from "../callers/authentication.ts";
import { foreignPages } from "../callers/web-pages.ts";
import type { ServerContext } from "../context.ts";
import { OpenCalls } from "../limits/open-calls.ts";
import type { ServerLimits } from "../limits/options.ts";
import { RateLimit } from "../limits/rate-limit.ts";
import { measuring } from "../metrics/measuring.ts";
import { rightsGate } from "../rights/rights-gate.ts";
import { logging } from "./logging.ts";
import type { Gate } from "./gate.ts";

/** Every gate, in the order in which calls of every protocol pass them. */
export function gatesOf({ callers, audit, metrics, log }: ServerContext, limits: ServerLimits): readonly Gate[] {
  const rate = new RateLimit(limits.requestsPerSecond);
  const gates: readonly (Gate | undefined)[] = [
    rate.ofAddresses,
    callers && authentication(callers),
    rate.ofCallers,
    foreignPages(callers),
    rightsGate(callers),
    new OpenCalls(limits.watches),
    audit && new AuditGate(audit, log),
    metrics && measuring(metrics),
    logging(log),
  ];
  return gates.filter((gate) => gate !== undefined);
}
