import type { KindRules } from "../kind-rules.ts";
import { jobLabel } from "../own-labels.ts";
import { loosely } from "../reference.ts";

export const volumeSnapshot: KindRules = {
  name: "volumesnapshots.snapshot.storage.k8s.io",
  isMadeByCluster: ({ metadata: { labels = {} } }) => jobLabel in labels,
  references({ spec }) {
    const { volumeSnapshotClassName } = (spec ?? {}) as { volumeSnapshotClassName?: string };
    return [loosely("volumesnapshotclasses.snapshot.storage.k8s.io", volumeSnapshotClassName)];
  },
  wave: "snapshots",
  isForSnapshots: true,
  isNotCopied: true,
};

export const volumeGroupSnapshot: KindRules = {
  name: "volumegroupsnapshots.groupsnapshot.storage.k8s.io",
  wave: "snapshots",
  isForSnapshots: true,
  isNotCopied: true,
};
