import type { Gate } from "../gate/gate.ts";
import type { Metrics } from "./metrics.ts";

/** Counts each call with its time; an unknown method is `none`. */
export function measuring(metrics: Pick<Metrics, "observeCall">): Gate {
  return {
    replied({ target, outcome, started }) {
      metrics.observeCall(target?.name ?? "none", outcome, (performance.now() - started) / 1_000);
    },
  };
}
