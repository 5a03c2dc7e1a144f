import type { Resource } from "../../objects/resource.ts";

/** The kinds of the CSI snapshot API, as the controllers name them in the store; a definition serves them. */
export const snapshotResources = {
  snapshots: snapshotKind("VolumeSnapshot", "volumesnapshots", true),
  contents: snapshotKind("VolumeSnapshotContent", "volumesnapshotcontents", false),
  classes: snapshotKind("VolumeSnapshotClass", "volumesnapshotclasses", false),
} as const;

function snapshotKind(kind: string, plural: string, namespaced: boolean): Resource {
  return {
    group: "snapshot.storage.k8s.io",
    version: "v1",
    plural,
    singular: kind.toLowerCase(),
    kind,
    listKind: `${kind}List`,
    shortNames: [],
    categories: [],
    namespaced,
    subresources: ["status"],
    generation: true,
    custom: true,
  };
}
