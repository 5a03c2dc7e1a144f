import type { MethodImpl } from "@connectrpc/connect";
import type { Logger } from "../engine/logger.ts";
import type { Engine } from "../engine/engine.ts";
import type { DrscpService } from "../gen/drscp/v1/drscp_pb.ts";
import type { AuditLog } from "./audit/audit-log.ts";
import type { Callers } from "./callers/authentication.ts";
import type { Metrics } from "./metrics/metrics.ts";

/** The collaborators of handlers and listeners. */
export interface ServerContext {
  readonly engine: Engine;
  readonly log: Logger;
  /** Missing: calls are not audited. */
  readonly audit?: AuditLog | undefined;
  /** Missing: calls are not measured. */
  readonly metrics?: Pick<Metrics, "observeCall"> | undefined;
  /** Missing: nobody is asked who calls. */
  readonly callers?: Callers | undefined;
  /** Whether callers may learn the API's schema from the server; they may unless it is false. */
  readonly reflection?: boolean;
  /** Aborted when the service stops: streams say what they have to, and end. */
  readonly shutdown: AbortSignal;
}

/** The implementation of one rpc. Its errors are translated by `gate/passage.ts`. */
export type Handler<Name extends keyof typeof DrscpService.method> = MethodImpl<(typeof DrscpService.method)[Name]>;
