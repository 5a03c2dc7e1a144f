import type { Scene } from "../../simulated-control-plane.ts";

/** Of the service's own, or of what happens in the cluster. */
const notLookedAt = ["Event", "Lease", "VolumeSnapshotContent"];

/** What each object of the cluster is, and when it was changed last. */
export async function versions(scene: Scene): Promise<ReadonlyMap<string, string>> {
  await scene.simulator.settled();
  return new Map(
    (await scene.client.listAll())
      .filter(({ kind }) => !notLookedAt.includes(kind ?? ""))
      .map(({ kind, metadata }) => [
        `${kind} ${metadata.namespace ?? ""}/${metadata.name}`,
        `${metadata["uid"]} ${String(metadata["resourceVersion"])}`,
      ]),
  );
}

/** The names of those that are not as they were: changed, made or gone. */
export async function touched(scene: Scene, before: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const after = await versions(scene);
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name)).sort();
}
