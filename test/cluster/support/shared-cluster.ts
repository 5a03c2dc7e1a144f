import { inject } from "vitest";
import { openCluster, type TestCluster } from "./cluster.ts";

/** The cluster that all test files use, one after the other; `global-setup.ts` starts and stops it. */
export async function sharedCluster(): Promise<TestCluster> {
  return openCluster(inject("clusterFolder"));
}
