import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import type { ServerContext } from "../context.ts";
import { health } from "./health.ts";
import { reflection } from "./reflection.ts";
import { drscpRoutes } from "../routes.ts";
import { served, type ServedService } from "./served-service.ts";

/** Bytes of the longest question about health, or to reflection: both are names. */
const maxNameBytes = 4_096;

/** Every service. Each of their methods has to declare who may call it: see `gate/method-rule.ts`. */
export function servicesOf(context: ServerContext): readonly ServedService[] {
  const short = { readMaxBytes: maxNameBytes };
  const described = [
    served(DrscpService, drscpRoutes(context)),
    served(
      Health,
      health(() => context.engine.isHealthy(), context.shutdown),
      short,
    ),
  ];
  if (context.reflection === false) return described;
  const files = described.map(({ service }) => service.file);
  return [...described, ...reflection(files).map((service) => ({ ...service, options: short }))];
}
