import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";

interface CronJobSpec {
  schedule?: string;
  timeZone?: string;
}

export const cronJob: KindRules = {
  name: "cronjobs.batch",
  wave: "running",
  strip(object) {
    object["spec"] = zoneInField(object);
  },
  ownsPods: true,
  loss(saved) {
    const { schedule } = saved["spec"] as CronJobSpec;
    const { schedule: other, timeZone = "of the controller" } = zoneInField(saved);
    return other === schedule
      ? undefined
      : `the API server no longer takes a zone in a schedule, so ${schedule} becomes ${other} with the time zone ${timeZone}`;
  },
};

/** As the cron jobs' controller reads it: https://github.com/robfig/cron/blob/v3.0.1/parser.go (Parse) */
const zoneInSchedule = /^(?:CRON_)?TZ=([^ ]*) +(.*)$/s;

/**
 * The spec with the zone of its schedule (`TZ=Europe/Berlin 0 3 * * *`) in the field that means the same. Kubernetes 1.27 and newer
 * take such a schedule of no new object, but keep those that are there.
 * https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#unsupported-timezone-specification
 */
function zoneInField(cronJob: KubernetesObject): CronJobSpec {
  const spec = { ...(cronJob["spec"] as CronJobSpec) };
  const [, zone, schedule] = zoneInSchedule.exec(spec.schedule ?? "") ?? [];
  if (zone === undefined || schedule === undefined) return spec;
  spec.schedule = schedule;
  // The controller's own zone is that of a cron job without one; the empty zone is UTC.
  if (zone === "Local") delete spec.timeZone;
  else spec.timeZone = zone === "" ? "UTC" : zone;
  return spec;
}
