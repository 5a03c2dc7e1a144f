import type { KindRules } from "./kind-rules.ts";

/** Namespaced kinds that describe what happens in one cluster. They are neither saved nor deleted nor restored. */
export const excludedResources: readonly string[] = [
  "events",
  "events.events.k8s.io",
  "leases.coordination.k8s.io",
  "csistoragecapacities.storage.k8s.io",
];

/** Cluster-scoped kinds that describe one cluster, or hold others' namespaces and data. */
const clusterScoped = [
  "certificatesigningrequests.certificates.k8s.io",
  "componentstatuses",
  "csinodes.storage.k8s.io",
  "ipaddresses.networking.k8s.io",
  "nodes",
  "resourceslices.resource.k8s.io",
  "servicecidrs.networking.k8s.io",
  "storageversions.internal.apiserver.k8s.io",
  "volumeattachments.storage.k8s.io",
  "volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io",
  "volumesnapshotcontents.snapshot.storage.k8s.io",
];

/** Kinds of which nothing else is special than that they are a cluster's own. */
export const kindsOfCluster: readonly KindRules[] = [...excludedResources, ...clusterScoped].map((name) => ({
  name,
  isOfCluster: true,
}));
