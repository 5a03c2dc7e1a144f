import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { inject } from "vitest";
import { openCluster, startCluster, type TestCluster } from "./cluster.ts";

/**
 * The cluster of this worker, which its test files use one after the other. The first that needs it starts it, until the tests' main
 * process ends.
 */
export async function sharedCluster(): Promise<TestCluster> {
  const { VITEST_POOL_ID } = process.env;
  if (VITEST_POOL_ID === undefined) throw new Error("a shared cluster is for test files alone");
  const clusters = inject("clustersFolder");
  const folder = join(clusters, VITEST_POOL_ID);
  if ((await readdir(clusters)).includes(VITEST_POOL_ID)) return openCluster(folder);
  return startCluster({ folder, stopWith: process.ppid });
}

/** Stops the clusters of all workers. */
export async function stopSharedClusters(clusters: string): Promise<void> {
  const names = await readdir(clusters);
  await Promise.all(names.map(async (name) => (await openCluster(join(clusters, name))).stop()));
}
