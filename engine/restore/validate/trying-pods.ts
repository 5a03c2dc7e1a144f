import { isSameLevel, laxerOf, levelInWords, podSecurityOf } from "../../kinds/core/pod-security.ts";
import { pods } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import {
  type KubernetesObject,
  type OwnerReference,
  type ResourceType,
  resourceName,
} from "../../kubernetes/kubernetes-object.ts";
import { namespaces as namespaceType } from "../../objects/entities.ts";
import { type PodTemplate, podTemplateOf } from "../../kinds/core/pod-template.ts";
import { workloadOf } from "../../kinds/apps/pod-workload.ts";
import { isFinishedJob } from "../../kinds/batch/finished-jobs.ts";
import { nameOf } from "../../objects/object-names.ts";
import { missingDeviceClasses } from "./missing-device-classes.ts";
import { isReady } from "../../kinds/readiness.ts";
import { refusalIn } from "./refusals.ts";
import { scaledWorkloads } from "../../kinds/restore-order.ts";
import { objectsOf, partsOf } from "../source/restore-source.ts";
import type { Trial } from "./trial.ts";

const withPods = [...scaledWorkloads, "daemonsets.apps", "jobs.batch"];

/**
 * Asks the API server what it would say to a pod of each workload. Policies, webhooks and Pod Security judge pods when they
 * are made: one that runs may be one that could not be started again. That of a workload which was up when it was saved, or is up
 * now, would be the loss of it.
 */
export async function tryPods(trial: Trial): Promise<void> {
  const { source, deps, signal, namespaces, refusals, findings } = trial;
  const running = await runningPods(trial);
  const relaxed = await relaxedLater(trial);
  const missingDeviceClass = await missingDeviceClasses(trial);
  const workloads = objectsOf(source, partsOf(source, withPods), signal);
  await forEachInFlight(workloads, deps.limits.clusterConcurrency, async ({ type, object }) => {
    const { namespace = "", name } = object.metadata;
    if (!namespaces.has(namespace) || !makesPods(type, object)) return;
    const live = running.get(`${type.kind} ${namespace}/${name}`);
    const isUp = live !== undefined || (resourceName(type) !== "jobs.batch" && isReady(type, object));
    const deviceClass = missingDeviceClass(object);
    if (deviceClass !== undefined)
      (isUp ? findings.lost : findings.idle).push(
        `${nameOf(namespace, type, name)}: its pods need DeviceClass ${deviceClass}, which is neither in the cluster nor in the backup`,
      );
    const refusal = await refusalOfPod(trial, namespace, podOf(type, object, live));
    if (!refusal || (relaxed.has(namespace) && /violates PodSecurity/.test(refusal.detail))) return;
    if (isUp) findings.note(trial, { type, object }, refusal, true);
    else if (refusals.weigh(refusal, namespace) === "held")
      findings.idle.push(`${nameOf(namespace, type, name)}: ${refusal.message}`);
  });
}

function makesPods(type: ResourceType, object: KubernetesObject): boolean {
  const { replicas = 1, suspend = false } = object["spec"] as { replicas?: number; suspend?: boolean };
  const isControlled = object.metadata.ownerReferences?.some((owner) => owner.controller === true) === true;
  if (resourceName(type) === "replicasets.apps" && isControlled) return false; // its deployment is asked about
  return replicas > 0 && !suspend && !isFinishedJob(object);
}

/** References to objects that the restore brings, such as a service account, are removed from a pod that is refused for want of them. */
async function refusalOfPod(
  { deps: { cluster }, refusals, signal }: Trial,
  namespace: string,
  pod: KubernetesObject,
): Promise<KubernetesError | undefined> {
  const ask = (body: KubernetesObject) =>
    refusalIn(() => cluster.dryRun.create(pods, namespace, JSON.stringify(body), signal));
  const refusal = await ask(pod);
  if (!refusal || !refusals.lacksWhatComes(refusal, namespace)) return refusal;
  const {
    serviceAccountName: _,
    serviceAccount: __,
    priorityClassName: ___,
    runtimeClassName: ____,
    ...spec
  } = pod["spec"] as Record<string, unknown>;
  return ask({ ...pod, spec });
}

/** Fields that a pod gets from its controller and admission may check. */
interface RunningPod {
  readonly labels: Record<string, string>;
  readonly ownerReferences: readonly OwnerReference[];
}

/** One pod that is ready of each workload that has one, by `Deployment cdp/api`. */
async function runningPods({
  deps: { cluster, limits },
  namespaces,
  signal,
}: Trial): Promise<ReadonlyMap<string, RunningPod>> {
  const running = new Map<string, RunningPod>();
  await forEachInFlight(namespaces, limits.clusterConcurrency, async (namespace) => {
    for await (const pod of cluster.list(pods, namespace, signal)) {
      const { labels = {}, ownerReferences = [] } = pod.metadata;
      const workload = workloadOf(pod);
      if (!workload || !isPodReady(pod)) continue;
      running.set(`${workload.type.kind} ${namespace}/${workload.name}`, { labels, ownerReferences });
    }
  });
  return running;
}

function isPodReady(pod: KubernetesObject): boolean {
  const { conditions = [] } = (pod["status"] ?? {}) as { conditions?: { type: string; status: string }[] };
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** A pod as a workload's controller would make it; as far as the controller adds to it, like the one that is running. */
function podOf(type: ResourceType, workload: KubernetesObject, live: RunningPod | undefined): KubernetesObject {
  const { name, namespace = "" } = workload.metadata;
  const { metadata = {}, spec = {} } = podTemplateOf(workload) as PodTemplate;
  // To block an owner's deletion takes rights that some clusters ask for, and the controller has.
  const ownerReferences = live?.ownerReferences.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadata,
      generateName: `${name}-`,
      namespace,
      labels: { ...live?.labels, ...metadata.labels },
      ...(ownerReferences && { ownerReferences }),
    } as unknown as KubernetesObject["metadata"],
    spec: {
      ...spec,
      ...(resourceName(type) === "statefulsets.apps" && { volumes: volumesOf(workload, spec.volumes) }),
    },
  };
}

/** A stateful set's pods mount the claims that it makes for them. */
function volumesOf(workload: KubernetesObject, volumes: unknown): readonly object[] {
  const { volumeClaimTemplates = [] } = workload["spec"] as { volumeClaimTemplates?: readonly KubernetesObject[] };
  const ofClaims = volumeClaimTemplates.map(({ metadata: { name } }) => ({
    name,
    persistentVolumeClaim: { claimName: `${name}-${workload.metadata.name}-0` },
  }));
  const others = ((volumes ?? []) as { name: string }[]).filter(({ name }) => !ofClaims.some((it) => it.name === name));
  return [...others, ...ofClaims];
}

/** The namespaces whose Pod Security is stricter now than it will be when pods are created: its answer is not theirs. */
async function relaxedLater({ source, deps, signal, findings }: Trial): Promise<ReadonlySet<string>> {
  const relaxed = new Set<string>();
  for await (const { type, object } of objectsOf(source, partsOf(source, ["namespaces"]), signal)) {
    const { name } = object.metadata;
    const live = await deps.cluster.get(namespaceType, "", name, signal);
    if (!live || source.scope.liveReachOf(type, { name }) !== "as saved") continue;
    const [is, saved] = [podSecurityOf(live), podSecurityOf(object)] as const;
    if (isSameLevel(is, laxerOf(is, saved))) continue;
    relaxed.add(name);
    findings.inconclusive.push(
      `pods of ${name} under Pod Security level ${levelInWords(saved)}, which its labels had: it is ${levelInWords(is)} now`,
    );
  }
  return relaxed;
}
