import type { Cluster } from "../cluster.ts";
import { claimController } from "./claims.ts";
import type { Controller } from "./controller.ts";
import { daemonSetController } from "./daemon-sets.ts";
import { definitionController } from "./definitions.ts";
import { deploymentController } from "./deployments.ts";
import { garbageCollector } from "./garbage-collector.ts";
import { jobController } from "./jobs.ts";
import { namespaceController } from "./namespaces.ts";
import { podController } from "./pods.ts";
import { replicaSetController } from "./replica-sets.ts";
import { snapshotContentController } from "./snapshot-contents.ts";
import { snapshotController } from "./snapshots.ts";
import { statefulSetController } from "./stateful-sets.ts";
import { storageProtectionController } from "./storage-protection.ts";
import { volumeController } from "./volumes.ts";

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
