import type { ClaimVolumes } from "../volumes/claim-volumes.ts";
import type { Cluster } from "../cluster.ts";
import { createAll } from "../objects/create-object.ts";
import { controlPlane } from "./control-plane.ts";
import { createCustomResources, definitions } from "./custom-resources.ts";
import { vault } from "./vault.ts";
import { writeVolumeFiles } from "./volume-files.ts";

/**
 * Fills a cluster with a sample control plane: the namespace `cdp` with its embedded database, applications and custom
 * resources, and `vault-system` with its vault; all running, with data on their volumes, when the promise resolves.
 */
export async function createSample(
  cluster: Cluster,
  volumes: ClaimVolumes,
  settled: () => Promise<void>,
): Promise<void> {
  createAll(cluster, [...definitions, ...controlPlane, ...vault]);
  await settled();
  createCustomResources(cluster);
  writeVolumeFiles(volumes);
  await settled();
}
