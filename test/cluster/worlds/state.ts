import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import type { TestCluster } from "../support/cluster.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { treeDigest } from "../support/volumes.ts";
import { clusterScopedKinds, keyOf, namespacedKinds, pathOfKind } from "./kinds.ts";

/** Files by path, as `treeDigest` has them. */
export type Files = ReadonlyMap<string, string>;

/** What there is of a world at one moment. */
export interface State {
  /** By key (`keyOf`). Without what controllers make out of others. */
  readonly objects: ReadonlyMap<string, KubernetesObject>;
  /** The ready pods of each workload, by their image; and how each job has ended. */
  readonly running: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** The persistent volume of each bound claim (`namespace/name`). */
  readonly volumeOf: ReadonlyMap<string, string>;
  /** The persistent volumes that are the world's, by name. */
  readonly volumes: ReadonlyMap<string, { readonly claim: string; readonly policy: string; readonly files: Files }>;
  /** What of others must stay as it is, uid and all. */
  readonly others: ReadonlyMap<string, KubernetesObject>;
}

/** Where a world lies in the cluster. */
export interface Scope {
  readonly name: string;
  readonly namespaces: readonly string[];
  readonly hasDefinition: boolean;
}

/** Looks at all that a world has, in the cluster and on its volumes. */
export async function takeState(cluster: TestCluster, { name, namespaces, hasDefinition }: Scope): Promise<State> {
  const { kubernetes } = cluster;
  const widgets = hasDefinition ? [`${name}.example.com/v1/widgets`] : [];
  const paths = [
    ...clusterScopedKinds.map((kind) => pathOfKind(kind)),
    ...[...namespaces, `${name}-others`].flatMap((namespace) =>
      [...namespacedKinds, ...widgets].map((kind) => pathOfKind(kind, namespace)),
    ),
  ];
  const isOurs = (object: KubernetesObject) => {
    const { metadata, kind, spec } = object;
    if (metadata.namespace !== undefined) return true;
    if (kind === "PersistentVolume") return namespaces.includes(spec.claimRef?.namespace ?? "");
    return (
      metadata.name === name || metadata.name.startsWith(`${name}-`) || metadata.name.endsWith(`.${name}.example.com`)
    );
  };
  const all = (await Promise.all(paths.map((path) => kubernetes.list(path)))).flat().filter(isOurs);
  const isOthers = ({ metadata }: KubernetesObject) =>
    metadata.namespace === `${name}-others` ||
    metadata.name.startsWith(`${name}-others`) ||
    metadata.name.startsWith(`${name}-policy`);
  const own = all.filter((it) => !isOthers(it));
  const selecting = new Set(own.filter(isSelecting).map((it) => `${it.metadata.namespace}/${it.metadata.name}`));
  const volumeOf = new Map(
    own
      .filter(({ kind, spec }) => kind === "PersistentVolumeClaim" && spec.volumeName)
      .map(({ metadata, spec }) => [`${metadata.namespace}/${metadata.name}`, spec.volumeName as string]),
  );
  const lasting = own.filter((it) => !isMadeByCluster(it, selecting, volumeOf));
  const volumes = new Map<string, { claim: string; policy: string; files: Files }>();
  for (const { kind, metadata, spec } of own) {
    if (kind !== "PersistentVolume") continue;
    const claim = `${spec.claimRef?.namespace}/${spec.claimRef?.name}`;
    const folder = join(cluster.storageFolder, "volumes", spec.csi?.volumeHandle ?? "none");
    const files: Files = existsSync(folder)
      ? await treeDigest(folder).catch(() => new Map())
      : new Map<string, string>();
    volumes.set(metadata.name, { claim, policy: spec.persistentVolumeReclaimPolicy, files });
  }
  return {
    objects: new Map(lasting.map((it) => [keyOf(it), givenBack(it)])),
    running: runningIn(own),
    volumeOf,
    volumes,
    others: new Map(
      all.filter((it) => isOthers(it) && !isMadeByCluster(it, new Set(), new Map())).map((it) => [keyOf(it), it]),
    ),
  };
}

const formerPolicy = "drs.cloudera.com/former-policy";
const keptBy = "drs.cloudera.com/kept-by";
const provisioners = "external-provisioner.volume.kubernetes.io/finalizer";

/**
 * A volume as it is when the restore that keeps it has given it back: a later one that brings back its claim does so, too. The
 * provisioner adds a finalizer to what is to be deleted with its claim.
 */
function givenBack(object: KubernetesObject): KubernetesObject {
  const policy = object.kind === "PersistentVolume" ? object.metadata.annotations?.[formerPolicy] : undefined;
  if (policy === undefined) return object;
  const volume = structuredClone(object);
  const { metadata, spec } = volume;
  delete metadata.annotations?.[formerPolicy];
  delete metadata.labels?.[keptBy];
  if (Object.keys(metadata.labels ?? {}).length === 0) delete metadata.labels;
  spec.persistentVolumeReclaimPolicy = policy;
  if (policy === "Delete") metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), provisioners])];
  return volume;
}

/** Of what controllers work on, to see whether something happens still. */
const busyKinds = [
  "v1/pods",
  "v1/persistentvolumeclaims",
  "v1/secrets",
  "apps/v1/deployments",
  "apps/v1/statefulsets",
  "apps/v1/daemonsets",
  "batch/v1/jobs",
];

/** Waits until the controllers have nothing more to do in a world, but no longer than this; returns what there is then. */
export async function whenQuiet(cluster: TestCluster, scope: Scope, patienceMs = 10_000): Promise<State> {
  const end = Date.now() + patienceMs;
  let before = "";
  for (;;) {
    const paths = scope.namespaces.flatMap((namespace) => busyKinds.map((kind) => pathOfKind(kind, namespace)));
    const objects = (await Promise.all(paths.map((path) => cluster.kubernetes.list(path)))).flat();
    const versions = objects.map(({ metadata }) => String(metadata["resourceVersion"])).join();
    if ((versions === before && objects.every(isAttendedTo)) || Date.now() > end) return takeState(cluster, scope);
    before = versions;
    await sleep(500);
  }
}

/** Whether the controllers have seen an object as it is and have done what they can at once. */
function isAttendedTo({ kind, metadata, spec, status, type, data }: KubernetesObject): boolean {
  switch (kind) {
    case "Deployment":
    case "StatefulSet":
    case "DaemonSet":
      return (
        metadata["deletionTimestamp"] === undefined &&
        (status?.observedGeneration ?? 0) >= Number(metadata["generation"]) &&
        (kind === "DaemonSet" || (status?.replicas ?? 0) >= (spec.replicas ?? 0))
      );
    case "Job":
      return spec.suspend === true || status?.active !== undefined || status?.conditions !== undefined;
    case "PersistentVolumeClaim":
      return spec.storageClassName === "" || spec.storageClassName === "worlds-late" || status?.phase === "Bound";
    case "Secret":
      return type !== "kubernetes.io/service-account-token" || data !== undefined;
    default:
      return true;
  }
}

function isSelecting({ kind, spec }: KubernetesObject): boolean {
  return kind === "Service" && spec.selector !== undefined;
}

function isMadeByCluster(
  object: KubernetesObject,
  selecting: ReadonlySet<string>,
  volumeOf: ReadonlyMap<string, string>,
): boolean {
  const { kind, metadata, spec } = object;
  const { name, namespace = "", labels = {} } = metadata;
  switch (kind) {
    case "ConfigMap":
      return name === "kube-root-ca.crt";
    case "Endpoints":
      return selecting.has(`${namespace}/${name}`) || labels["endpoints.kubernetes.io/managed-by"] !== undefined;
    case "EndpointSlice":
      return labels["endpointslice.kubernetes.io/managed-by"]?.endsWith(".k8s.io") ?? false;
    case "Pod":
    case "ReplicaSet":
      return metadata.ownerReferences?.some(({ controller }) => controller) ?? false;
    case "PersistentVolume": // one that its claim has left is looked at with the data
      return volumeOf.get(`${spec.claimRef?.namespace}/${spec.claimRef?.name}`) !== name;
    case "VolumeSnapshot": // a backup keeps its own
      return labels["drs.cloudera.com/job"] !== undefined;
    default:
      return false;
  }
}

function runningIn(objects: readonly KubernetesObject[]): Map<string, Record<string, number>> {
  const byUid = new Map(objects.map((it) => [it.metadata["uid"] as string, it]));
  const running = new Map<string, Record<string, number>>();
  for (const pod of objects) {
    if (pod.kind === "Job") {
      const ended = (pod["status"]?.conditions ?? []) as { type: string; status: string }[];
      for (const { type } of ended.filter(({ type }) => type === "Complete" || type === "Failed"))
        running.set(keyOf(pod), { [type]: 1 });
    }
    if (pod.kind !== "Pod" || pod.metadata["deletionTimestamp"] !== undefined) continue;
    const isReady = (pod["status"]?.conditions ?? []).some(
      (it: { type: string; status: string }) => it.type === "Ready" && it.status === "True",
    );
    let owner = pod;
    for (let next: KubernetesObject | undefined = pod; next;) {
      owner = next;
      next = byUid.get(next.metadata.ownerReferences?.find(({ controller }) => controller)?.uid ?? "");
    }
    if (!isReady || owner.kind === "Job" || owner.kind === "CronJob") continue;
    const images = running.get(keyOf(owner)) ?? {};
    const image = pod["spec"].containers[0].image as string;
    images[image] = (images[image] ?? 0) + 1;
    running.set(keyOf(owner), images);
  }
  return running;
}
