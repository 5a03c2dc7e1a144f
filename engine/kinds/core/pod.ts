import type { KubernetesObject, OwnerReference } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import { isMadeForAccount } from "./account-secrets.ts";
import { type SelectingSpec, withoutMergedLabels } from "./merged-labels.ts";

export const pod: KindRules = {
  name: "pods",
  isMadeByCluster: (object) => controllerOf(object) !== undefined || isMirrorPod(object),
  wave: "running",
  strip: sanitizePod,
  isOver: hasEnded,
  compare(rest, object) {
    rest["hasEnded"] = hasEnded(object);
  },
  comesAndGoes: true,
};

/** Whether a pod has completed or failed: it is not run again. */
export function hasEnded(pod: KubernetesObject): boolean {
  const { phase } = (pod["status"] ?? {}) as { phase?: string };
  return phase === "Succeeded" || phase === "Failed";
}

/** A node's own pod, which the API server only shows: https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/ */
export function isMirrorPod({ metadata }: KubernetesObject): boolean {
  return "kubernetes.io/config.mirror" in (metadata.annotations ?? {});
}

/** Whether a pod makes the object for itself. */
export function isControlledByPod(object: KubernetesObject): boolean {
  return controllerOf(object)?.kind === "Pod";
}

function controllerOf({ metadata }: KubernetesObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find((owner) => owner.controller === true);
}

interface Container {
  volumeMounts?: { name: string }[];
}
interface PodSpec extends SelectingSpec {
  volumes?: { name: string; projected?: unknown; secret?: { secretName?: string } }[];
  containers?: Container[];
  initContainers?: Container[];
  serviceAccountName?: string;
  [field: string]: unknown;
}

/** Fields that the scheduler, the kubelet and admission fill in, and would refuse or misread if they came from another pod. */
const filledIn = ["nodeName", "priority", "preemptionPolicy", "ephemeralContainers", "serviceAccount", "overhead"];

/** A pod without an owner, to be scheduled again. Admission mounts a fresh token, so the old one's volume is stripped. */
function sanitizePod(pod: KubernetesObject): void {
  const spec = pod["spec"] as PodSpec;
  for (const field of filledIn) delete spec[field];
  withoutMergedLabels(spec, pod.metadata.labels);
  const isToken = ({ name, projected, secret }: NonNullable<PodSpec["volumes"]>[number]) =>
    (projected !== undefined && name.startsWith("kube-api-access-")) ||
    isMadeForAccount(spec.serviceAccountName ?? "default", "token", secret?.secretName ?? "");
  const tokens = new Set((spec.volumes ?? []).filter(isToken).map((volume) => volume.name));
  if (tokens.size === 0) return;
  spec.volumes = (spec.volumes ?? []).filter((volume) => !tokens.has(volume.name));
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])])
    container.volumeMounts = (container.volumeMounts ?? []).filter((mount) => !tokens.has(mount.name));
}
