import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import {
  type KubernetesObject,
  type ObjectMeta,
  type ResourceType,
  resourceName,
} from "../../kubernetes/kubernetes-object.ts";
import { isFinishedJob } from "../../kinds/batch/finished-jobs.ts";
import { nameOf } from "../../objects/object-names.ts";
import { sanitize } from "../../kinds/sanitize.ts";

interface ServiceState {
  readonly spec?: { readonly type?: string; readonly loadBalancerIP?: string };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { ip?: string; hostname?: string }[] } };
}
interface JobState {
  readonly status?: { readonly succeeded?: number; readonly completedIndexes?: string };
}
interface CronJobState {
  readonly spec?: { readonly schedule?: string; readonly timeZone?: string };
}

/** What cannot come back with an object, as the cluster gives it out. */
export interface Loss {
  readonly type: ResourceType;
  readonly metadata: Pick<ObjectMeta, "namespace" | "name" | "uid">;
  readonly loss: string;
}

/**
 * Tells, before anything is touched, of an object that has to be made again what cannot come back with it:
 * tokens, addresses of load balancers, how far a job had come. One that is there still keeps it all.
 */
export async function tellNotAsSaved(
  cluster: Cluster,
  { signal, info }: Pick<JobContext, "signal" | "info">,
  { type, metadata: { namespace = "", name, uid }, loss }: Loss,
): Promise<void> {
  const live = await cluster.get(type, namespace, name, signal);
  if (live?.metadata.uid !== uid) info(`${nameOf(namespace, type, name)} is made again: ${loss}`);
}

/** What an object that is made again has otherwise than it was saved; undefined when nothing. */
export function lossOf(type: ResourceType, saved: KubernetesObject): string | undefined {
  switch (resourceName(type)) {
    case "secrets":
      return saved["type"] === "kubernetes.io/service-account-token"
        ? "it gets a new token, which whoever uses the old one elsewhere needs"
        : undefined;
    case "services": {
      const { spec, status } = saved as ServiceState;
      const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname);
      return spec?.type === "LoadBalancer" && addresses.length > 0
        ? `its load balancer gives it an address anew, which may be another one than ${addresses.join(", ")}`
        : undefined;
    }
    case "jobs.batch": {
      const { succeeded = 0, completedIndexes = "" } = (saved as JobState).status ?? {};
      if (isFinishedJob(saved) || succeeded === 0) return undefined;
      const done = completedIndexes === "" ? `${succeeded} pods` : `the indexes ${completedIndexes}`;
      return `it had not finished, and begins from the start, also with ${done} that had succeeded`;
    }
    case "cronjobs.batch": {
      const { spec: was } = saved as CronJobState;
      const { spec: is } = sanitize(type, saved) as CronJobState;
      return was?.schedule === is?.schedule
        ? undefined
        : `the API server takes no zone in a schedule any more, so ${was?.schedule} becomes ${is?.schedule} with the time zone ${is?.timeZone ?? "of the controller"}`;
    }
    default:
      return undefined;
  }
}
