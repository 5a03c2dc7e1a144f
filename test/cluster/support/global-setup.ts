import type { TestProject } from "vitest/node";
import { buildPrograms, startCluster } from "./cluster.ts";

declare module "vitest" {
  interface ProvidedContext {
    clusterFolder: string;
  }
}

/** Builds the cluster's programs, once a machine, and starts the cluster that all test files use. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await buildPrograms();
  const cluster = await startCluster();
  project.provide("clusterFolder", cluster.folder);
  return () => cluster.stop();
}
