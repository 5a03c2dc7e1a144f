import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

interface CronJobSpec {
  schedule?: string;
  timeZone?: string;
}

/** As the cron jobs' controller reads it: https://github.com/robfig/cron/blob/v3.0.1/parser.go (Parse) */
const zoneInSchedule = /^(?:CRON_)?TZ=([^ ]*) +(.*)$/s;

/**
 * A zone in the schedule (`TZ=Europe/Berlin 0 3 * * *`) moves to the field that means the same. Kubernetes 1.27 and newer take
 * such a schedule of no new object, but keep those that are there.
 * https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#unsupported-timezone-specification
 */
export function sanitizeCronJob(cronJob: KubernetesObject): void {
  const spec = cronJob["spec"] as CronJobSpec;
  const [, zone, schedule] = zoneInSchedule.exec(spec.schedule ?? "") ?? [];
  if (zone === undefined || schedule === undefined) return;
  spec.schedule = schedule;
  // The controller's own zone is that of a cron job without one; the empty zone is UTC.
  if (zone === "Local") delete spec.timeZone;
  else spec.timeZone = zone === "" ? "UTC" : zone;
}
