import type { Cluster } from "../../cluster.ts";
import { createObject } from "../../objects/create-object.ts";
import { sameJson } from "../../objects/json.ts";
import type { Condition, PodTemplate, Workload } from "../../objects/kinds.ts";
import { isDeleting, keyOf, timestamp } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { nonZero, ownedBy, ownedObjects, ownerKey, templateHash } from "./owned-pods.ts";
import { replicaSets } from "./replica-sets.ts";

const deployments = builtIn("deployments.apps");
const hashLabel = "pod-template-hash";

/**
 * Keeps one replica set for each deployment's present template, and scales those of earlier ones to zero at once. Of one
 * that is paused it makes none and scales the one that runs, and where several do none.
 */
export function deploymentController(cluster: Cluster): Controller {
  function createReplicaSet(deployment: Workload): void {
    const { metadata, spec } = deployment;
    const hash = templateHash(spec?.template);
    const labels = { ...spec?.template?.metadata?.labels, [hashLabel]: hash };
    createObject(cluster, replicaSets, {
      kind: "ReplicaSet",
      apiVersion: "apps/v1",
      metadata: {
        name: `${metadata.name}-${hash}`,
        namespace: metadata.namespace ?? "",
        labels,
        annotations: { "deployment.kubernetes.io/revision": "1" },
        ownerReferences: [ownedBy(deployment)],
      },
      spec: {
        replicas: spec?.replicas ?? 1,
        selector: { ...spec?.selector, matchLabels: { ...spec?.selector?.matchLabels, [hashLabel]: hash } },
        template: { ...spec?.template, metadata: { ...spec?.template?.metadata, labels } },
      },
    });
  }

  return {
    *concerns({ resource, object }) {
      if (resource === deployments) yield keyOf(object);
      if (resource === replicaSets) yield* ownerKey(object, "Deployment");
    },
    reconcile(key) {
      const deployment = cluster.store.get<Workload>(deployments, key);
      if (deployment === undefined || isDeleting(deployment)) return;
      const sets = ownedObjects<Workload>(cluster, replicaSets, deployment).filter((set) => !isDeleting(set));
      const current = sets.find((set) =>
        sameJson(withoutHash(set.spec?.template), withoutHash(deployment.spec?.template)),
      );
      const isPaused = deployment.spec?.paused === true;
      if (current === undefined && !isPaused) createReplicaSet(deployment);
      const running = sets.filter((set) => (set.spec?.replicas ?? 1) > 0);
      const active = isPaused && running.length === 1 ? running[0] : (current ?? (isPaused ? sets.at(-1) : undefined));
      for (const set of isPaused && running.length > 1 ? [] : sets) {
        changeObject<Workload>(cluster, replicaSets, keyOf(set), ({ spec }) => {
          if (spec) spec.replicas = set === active ? (deployment.spec?.replicas ?? 1) : 0;
        });
      }
      changeObject<Workload>(cluster, deployments, key, (copy) => {
        copy.metadata.annotations = { "deployment.kubernetes.io/revision": "1", ...copy.metadata.annotations };
        copy.status = statusOf(copy, sets, current);
      });
    },
  };
}

function withoutHash(template: PodTemplate | undefined): PodTemplate {
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
}

function statusOf(
  deployment: Workload,
  sets: readonly Workload[],
  current: Workload | undefined,
): Record<string, unknown> {
  const sum = (field: string) => sets.reduce((total, set) => total + Number(set.status?.[field] ?? 0), 0);
  const available = sum("availableReplicas");
  const isAvailable = available >= (deployment.spec?.replicas ?? 1);
  const before = (deployment.status?.["conditions"] ?? []) as readonly Condition[];
  return {
    observedGeneration: deployment.metadata.generation,
    ...nonZero({
      replicas: sum("replicas"),
      updatedReplicas: Number(current?.status?.["replicas"] ?? 0),
      readyReplicas: sum("readyReplicas"),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, (deployment.spec?.replicas ?? 1) - available),
    }),
    conditions: [
      condition(
        before,
        "Available",
        isAvailable,
        isAvailable ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
      ),
      condition(before, "Progressing", true, isAvailable ? "NewReplicaSetAvailable" : "ReplicaSetUpdated"),
    ],
  };
}

/** The condition as it is now: with the times of the one before when nothing changed. */
function condition(before: readonly Condition[], type: string, isTrue: boolean, reason: string): Condition {
  const status = isTrue ? "True" : "False";
  const same = before.find((given) => given.type === type && given.status === status && given.reason === reason);
  const now = timestamp();
  return same ?? { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message: reason };
}
