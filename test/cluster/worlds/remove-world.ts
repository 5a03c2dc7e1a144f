import type { TestCluster } from "../support/cluster.ts";
import { clusterScopedKinds, pathOf, pathOfKind } from "./kinds.ts";
import type { World } from "./world.ts";
import { removeNamespaces } from "./wreck.ts";

/** Takes a world out of the cluster, with all that it had beside its namespaces. */
export async function removeWorld(world: World, cluster: TestCluster): Promise<void> {
  const { kubernetes } = cluster;
  const { name, namespaces, others } = world;
  const all = [...namespaces, ...others.slice(0, 1).map(({ metadata }) => metadata.name)];
  const isOurs = (it: string) => it.startsWith(`${name}-`) || it.endsWith(`.${name}.example.com`);
  const remove = async (kinds: readonly string[]) => {
    for (const kind of kinds)
      for (const object of await kubernetes.list(pathOfKind(kind)))
        if (isOurs(object.metadata.name)) await kubernetes.delete(pathOf(object, "object"));
  };
  await remove(clusterScopedKinds.filter((kind) => kind.startsWith("admissionregistration")));
  await removeNamespaces(all, world, cluster);
  await remove(clusterScopedKinds.filter((kind) => !/namespaces|persistentvolumes/.test(kind)));
  const snapshots = await kubernetes.list(pathOfKind("snapshot.storage.k8s.io/v1/volumesnapshotcontents"));
  for (const content of snapshots)
    if (all.includes(content["spec"].volumeSnapshotRef.namespace)) await kubernetes.delete(pathOf(content, "object"));
  for (const volume of await kubernetes.list(pathOfKind("v1/persistentvolumes")))
    if (all.includes(volume["spec"].claimRef?.namespace)) await kubernetes.delete(pathOf(volume, "object"));
}
