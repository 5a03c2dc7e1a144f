import type { KindRules } from "../kind-rules.ts";
import { dropRevisionCounts } from "./revision-counts.ts";

interface Status {
  readonly numberReady?: number;
  readonly desiredNumberScheduled?: number;
}

export const daemonSet: KindRules = {
  name: "daemonsets.apps",
  wave: "running",
  ownsPods: true,
  readiness: {
    up: ({ status }) => (status as Status | undefined)?.numberReady ?? 0,
    whole: ({ status }) => (status as Status | undefined)?.desiredNumberScheduled ?? Number.POSITIVE_INFINITY,
    countsLostPods: true,
  },
  compare: dropRevisionCounts,
};
