import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildPrograms } from "./cluster.ts";
import { whyNoRealNode } from "./real-node.ts";
import { stopSharedClusters } from "./shared-cluster.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the clusters of the workers lie. */
    clustersFolder: string;
    /** Why tests that need a node that runs pods are skipped; empty where they are not. */
    noRealNode: string;
  }
}

/**
 * Builds the cluster's programs, once a machine, and stops the workers' clusters at the end. Where no real node can run, it says so in
 * the line that `.ci/run` repeats at its end.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await buildPrograms();
  const noRealNode = (await whyNoRealNode()) ?? "";
  if (noRealNode !== "") process.stderr.write(`tests with a node that runs pods: ${noRealNode}: skipped\n`);
  project.provide("noRealNode", noRealNode);
  const folder = await mkdtemp(join(tmpdir(), "drs-clusters-"));
  project.provide("clustersFolder", folder);
  return async () => {
    await stopSharedClusters(folder);
    await rm(folder, { recursive: true });
  };
}
