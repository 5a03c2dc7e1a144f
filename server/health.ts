import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { DrscpService } from "../gen/drscp/v1/drscp_pb.ts";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "../gen/health/v1/health_pb.ts";

/** How often a watch looks whether the answer has changed. */
const watchInterval = 1_000;

/**
 * gRPC health for the whole server (an empty name) and the one service.
 *
 * Watches end when `stopping` is aborted, after they have said NOT_SERVING.
 */
export function health(isHealthy: () => boolean, stopping: AbortSignal): ServiceImpl<typeof Health> {
  const names = ["", DrscpService.typeName];
  const current = () => ({ status: !stopping.aborted && isHealthy() ? Status.SERVING : Status.NOT_SERVING });
  return {
    check({ service }) {
      if (names.includes(service)) return current();
      throw new ConnectError(`no service ${service}`, Code.NotFound);
    },
    async *watch({ service }, { signal }) {
      const ended = AbortSignal.any([signal, stopping]);
      let last = names.includes(service) ? current() : { status: Status.SERVICE_UNKNOWN };
      yield last;
      while (!ended.aborted) {
        // The only way for the delay to fail is the signal.
        await delay(watchInterval, undefined, { signal: ended }).catch(() => undefined);
        const now = names.includes(service) ? current() : last;
        if (now.status !== last.status) yield now;
        last = now;
      }
    },
    list: () => ({ statuses: Object.fromEntries(names.map((name) => [name, current()])) }),
  };
}
