import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { apiPath, KubernetesError, type KubernetesObject } from "../support/kubernetes-client.ts";
import { keyOf, pathOf } from "./kinds.ts";
import { type Scope, whenQuiet } from "./state.ts";
import type { World } from "./world.ts";

/** Makes a world's objects, those that others need first, and writes files onto the volumes there are. */
export async function makeWorld(
  { name, namespaces, objects, others }: World,
  cluster: TestCluster,
  scope: Scope,
): Promise<void> {
  for (const name of namespaces)
    await createObject(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { team: "data" } } });
  for (const object of others.slice(0, 1)) await createObject(cluster, object);
  for (const namespace of [...namespaces, ...others.slice(0, 1).map(({ metadata }) => metadata.name)])
    await eventually(
      `the account of ${namespace}`,
      () => cluster.kubernetes.find(apiPath({ apiVersion: "v1", resource: "serviceaccounts" }, namespace, "default")),
      { interval: 50 },
    );
  for (const object of others.slice(1)) await createObject(cluster, object);
  for (const object of objects) await createObject(cluster, object);
  const state = await whenQuiet(cluster, scope, 20_000);
  for (const [claim, volume] of state.volumeOf) {
    const folder = await dataFolder(cluster, volume);
    if (folder === undefined) continue;
    await mkdir(join(folder, "base"), { recursive: true });
    await writeFile(join(folder, "base/1"), `${name} ${claim}\n`.repeat(20));
    await writeFile(join(folder, "VERSION"), "1\n");
  }
}

/** Undefined for a volume that is none of the folder driver's. */
export async function dataFolder(cluster: TestCluster, volume: string): Promise<string | undefined> {
  const path = apiPath({ apiVersion: "v1", resource: "persistentvolumes" }, undefined, volume);
  const { spec } = await cluster.kubernetes.get(path);
  if (spec.csi?.driver !== "dir.csi.test") return undefined;
  const folder = join(cluster.storageFolder, "volumes", spec.csi.volumeHandle);
  await mkdir(folder, { recursive: true }); // of a volume made by hand
  return folder;
}

/** Creates an object whose owners are given by name; their uids are known only now. */
export async function createObject({ kubernetes }: TestCluster, object: KubernetesObject): Promise<void> {
  const made = structuredClone(object);
  const { namespace } = made.metadata;
  for (const owner of made.metadata.ownerReferences ?? []) {
    const metadata = { name: owner.name, ...(namespace !== undefined && { namespace }) };
    owner.uid = (await kubernetes.get(pathOf({ ...owner, metadata }, "object"))).metadata["uid"] as string;
  }
  const isServed = async () => {
    try {
      await kubernetes.create(pathOf(made, "collection"), made);
      return true;
    } catch (error) {
      // A definition that was just made is not served yet.
      if (error instanceof KubernetesError && error.status === 404) return false;
      throw error;
    }
  };
  await eventually(`${keyOf(made)} is made`, isServed, { timeout: 10_000, interval: 50 });
}
