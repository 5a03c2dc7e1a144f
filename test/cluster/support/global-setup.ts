import type { TestProject } from "vitest/node";
import { buildPrograms, startCluster } from "./cluster.ts";
import { whyNoRealNode } from "./real-node.ts";

declare module "vitest" {
  interface ProvidedContext {
    clusterFolder: string;
    /** Why tests that need a node that runs pods are skipped; empty where they are not. */
    noRealNode: string;
  }
}

/**
 * Builds the cluster's programs, once a machine, and starts the cluster that all test files use. Where no real node can run, it says so
 * in the line that `.ci/run` repeats at its end.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await buildPrograms();
  const noRealNode = (await whyNoRealNode()) ?? "";
  if (noRealNode !== "") process.stderr.write(`tests with a node that runs pods: ${noRealNode}: skipped\n`);
  project.provide("noRealNode", noRealNode);
  const cluster = await startCluster();
  project.provide("clusterFolder", cluster.folder);
  return () => cluster.stop();
}
