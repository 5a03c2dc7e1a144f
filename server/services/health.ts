import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { HealthChanges } from "./health-changes.ts";

/**
 * gRPC health for the whole server (an empty name) and the one service.
 *
 * Watches end when `stopping` is aborted, after they have said NOT_SERVING.
 */
export function health(isHealthy: () => boolean, stopping: AbortSignal): ServiceImpl<typeof Health> {
  const names = ["", DrscpService.typeName];
  const look = () => (!stopping.aborted && isHealthy() ? Status.SERVING : Status.NOT_SERVING);
  const changes = new HealthChanges(look, stopping);
  return {
    check({ service }) {
      if (names.includes(service)) return { status: changes.now() };
      throw new ConnectError(`no service ${service}`, Code.NotFound);
    },
    async *watch({ service }, { signal }) {
      const isKnown = names.includes(service);
      changes.now();
      let last: Status | undefined;
      while (!signal.aborted) {
        const status = isKnown ? changes.seen : Status.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        else if (stopping.aborted) return;
        else await changes.next(signal);
        last = status;
      }
    },
    list: () => ({ statuses: Object.fromEntries(names.map((name) => [name, { status: changes.now() }])) }),
  };
}
