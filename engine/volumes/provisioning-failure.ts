import { events } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { waitFor } from "../kubernetes/waiting.ts";

/** An event may come a moment after its cause. */
const eventTimeoutMs = 2_000;

/** The provisioner's last complaint about a claim without a volume; undefined when it is silent, or the right to read events is missing. */
export async function provisioningFailure(
  cluster: Cluster,
  { metadata: { namespace = "", uid } }: KubernetesObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  let latest: { readonly time: string; readonly message: string } | undefined;
  const see = ({ lastTimestamp, message }: KubernetesObject) => {
    const time = String(lastTimestamp);
    if (latest === undefined || time >= latest.time) latest = { time, message: String(message) };
  };
  const options = { fieldSelector: `involvedObject.uid=${uid},reason=ProvisioningFailed` };
  const wait = { type: events, namespace, options, timeoutMs: eventTimeoutMs, signal };
  try {
    await waitFor(cluster, wait, see, () => latest !== undefined);
  } catch (error) {
    if (!hasStatus(error, 403)) throw error;
  }
  return latest?.message;
}
