import type { Cluster } from "../cluster.ts";
import { claimController } from "./storage/claims.ts";
import type { Controller } from "./controller.ts";
import { daemonSetController } from "./workloads/daemon-sets.ts";
import { definitionController } from "./definitions.ts";
import { deploymentController } from "./workloads/deployments.ts";
import { garbageCollector } from "./garbage-collector.ts";
import { jobController } from "./workloads/jobs.ts";
import { namespaceController } from "./namespaces.ts";
import { podController } from "./workloads/pods.ts";
import { replicaSetController } from "./workloads/replica-sets.ts";
import { snapshotContentController } from "./storage/snapshot-contents.ts";
import { snapshotController } from "./storage/snapshots.ts";
import { statefulSetController } from "./workloads/stateful-sets.ts";
import { storageProtectionController } from "./storage/storage-protection.ts";
import { volumeController } from "./storage/volumes.ts";

/** Every controller of the simulated cluster. */
export function allControllers(cluster: Cluster): readonly Controller[] {
  return [
    definitionController,
    namespaceController,
    garbageCollector,
    deploymentController,
    replicaSetController,
    statefulSetController,
    daemonSetController,
    jobController,
    podController,
    claimController,
    volumeController,
    storageProtectionController,
    snapshotController,
    snapshotContentController,
  ].map((create) => create(cluster));
}
