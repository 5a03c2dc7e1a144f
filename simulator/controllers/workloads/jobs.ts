import type { Cluster } from "../../cluster.ts";
import { deleteObject } from "../../objects/delete-object.ts";
import type { Condition, Pod, Workload } from "../../objects/kinds.ts";
import { isDeleting, keyOf, timestamp } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { createPod, isActive, isReady, nonZero, ownedObjects, ownerKey, pods } from "./owned-pods.ts";

const jobs = builtIn("jobs.batch");

/** Runs the pods of jobs to their end, as many as are asked for. Cron jobs start none. */
export function jobController(cluster: Cluster): Controller {
  return {
    *concerns({ resource, object }) {
      if (resource === jobs) yield keyOf(object);
      if (resource === pods) yield* ownerKey(object, "Job");
    },
    reconcile(key) {
      const job = cluster.store.get<Workload>(jobs, key);
      if (job === undefined || isDeleting(job) || isOver(job)) return;
      const owned = ownedObjects<Pod>(cluster, pods, job);
      const active = owned.filter(isActive);
      const succeeded = owned.filter(({ status }) => status?.phase === "Succeeded").length;
      const completions = job.spec?.completions ?? 1;
      const wanted = job.spec?.suspend ? 0 : Math.min(job.spec?.parallelism ?? 1, completions - succeeded);
      const failed = owned.filter(({ status }) => status?.phase === "Failed").length;
      const hasFailed = failed > ((job.spec?.["backoffLimit"] as number | undefined) ?? 6);
      if (hasFailed) {
        changeObject<Workload>(cluster, jobs, key, (copy) => {
          copy.status = { ...copy.status, ...nonZero({ failed }), conditions: failedConditions(timestamp()) };
        });
        return;
      }
      for (const pod of active.slice(wanted)) deleteObject(cluster, pods, keyOf(pod));
      for (let missing = wanted - active.length; missing > 0; missing--) {
        createPod(cluster, job, { generateName: `${job.metadata.name}-` });
      }
      changeObject<Workload>(cluster, jobs, key, (copy) => {
        const now = timestamp();
        copy.status = {
          ...nonZero({ active: Math.max(0, wanted), succeeded, failed }),
          ready: active.filter(isReady).length,
          ...(job.spec?.suspend ? {} : { startTime: copy.status?.["startTime"] ?? now }),
          ...(succeeded >= completions ? { completionTime: now, conditions: completed(now) } : {}),
        };
      });
    },
  };
}

function isOver({ status }: Workload): boolean {
  const conditions = (status?.["conditions"] ?? []) as readonly Condition[];
  return conditions.some(({ type }) => type === "Complete" || type === "Failed");
}

function failedConditions(now: string): readonly Condition[] {
  return ["FailureTarget", "Failed"].map((type) => ({
    type,
    status: "True",
    lastTransitionTime: now,
    reason: "BackoffLimitExceeded",
    message: "Job has reached the specified backoff limit",
  }));
}

function completed(now: string): readonly Condition[] {
  return ["SuccessCriteriaMet", "Complete"].map((type) => ({
    type,
    status: "True",
    lastTransitionTime: now,
    reason: "CompletionsReached",
    message: "Reached expected number of succeeded pods",
  }));
}
