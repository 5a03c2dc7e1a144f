import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { type SelectingSpec, withoutMergedLabels } from "./merged-labels.ts";
import { isMadeForAccount } from "./service-account.ts";

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

/** What the scheduler, the kubelet and admission fill in, and would refuse or misread when it came from another pod. */
const filledIn = ["nodeName", "priority", "preemptionPolicy", "ephemeralContainers", "serviceAccount", "overhead"];

/** A pod on its own, to be scheduled anew. Admission mounts a fresh token, so the old one's volume goes. */
export function sanitizePod(pod: KubernetesObject): void {
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
