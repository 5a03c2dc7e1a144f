import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { events, pods } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { type LabelSelector, labelSelectorOf } from "../../kubernetes/label-selector.ts";
import { isPodReady } from "./waiting-for-apps.ts";

export interface LateApp {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
}

/** Limits of the report, which is for a first look: workloads, pods of each, lines of a container and events of an object. */
const reportedWorkloads = 10;
const reportedPods = 2;
const reportedLines = 20;
const reportedEvents = 5;
/** A line, or an event's message, in UTF-16 code units. */
const reportedLength = 500;
/** A kubelet that is away is not waited for. */
const logTimeoutMs = 5_000;

/**
 * Logs the reasons why workloads do not come up, as their pods may be gone when somebody looks:
 * their conditions and latest events, and the last lines of their containers that are not ready. Nothing that the service
 * may not read, or the cluster does not have. Returns the causes, each in a sentence.
 */
export async function reportLate(
  { cluster }: Pick<JobDeps, "cluster">,
  context: JobContext,
  late: readonly LateApp[],
): Promise<readonly string[]> {
  const causes: string[] = [];
  for (const app of late.slice(0, reportedWorkloads)) {
    try {
      const cause = await reportOne(cluster, context, app);
      if (cause !== undefined) causes.push(cause);
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
    }
  }
  return causes;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

async function reportOne(
  cluster: Cluster,
  context: JobContext,
  { type, namespace, name }: LateApp,
): Promise<string | undefined> {
  const { signal, info } = context;
  const object = await cluster.get(type, namespace, name, signal);
  if (!object) return undefined;
  const what = `${type.kind} ${namespace}/${name}`;
  const { conditions = [] } = (object["status"] ?? {}) as { conditions?: readonly Condition[] };
  // https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment
  const failure = conditions.find((condition) => condition.type === "ReplicaFailure" && condition.status === "True");
  const reported = await eventsOf(cluster, object, type.kind, signal);
  for (const { text } of reported) info(`${what}: ${text}`);
  const failed = reported.findLast(({ reason }) => reason === "FailedCreate" || reason === "ProvisioningFailed");
  let cause = failure?.message ?? failed?.message;
  for (const pod of await latePods(cluster, object, signal)) {
    const why = await reportPod(cluster, context, pod);
    cause ??= why;
  }
  return cause === undefined ? undefined : `${what}: ${cut(cause)}`;
}

interface ReportedEvent {
  readonly reason: string;
  readonly message: string;
  readonly text: string;
}

/** The latest events of an object, the oldest of them first. */
async function eventsOf(
  cluster: Cluster,
  { metadata: { namespace = "", name, uid } }: KubernetesObject,
  kind: string,
  signal: AbortSignal,
): Promise<readonly ReportedEvent[]> {
  const found: KubernetesObject[] = [];
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
  try {
    for await (const event of cluster.list(events, namespace, signal, { fieldSelector })) {
      const { uid: of } = (event["involvedObject"] ?? {}) as { uid?: string };
      if (of === undefined || of === uid) found.push(event);
    }
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
  }
  const latest = found.toSorted((a, b) => timeOf(a).localeCompare(timeOf(b))).slice(-reportedEvents);
  return latest.map((event) => {
    const reason = String(event["reason"]);
    const message = cut(String(event["message"]));
    return { reason, message, text: `${timeOf(event)} ${reason}: ${message}` };
  });
}

function timeOf({ lastTimestamp, eventTime, metadata }: KubernetesObject): string {
  return String(lastTimestamp ?? eventTime ?? metadata["creationTimestamp"]);
}

/** Some pods of a workload that are not ready. */
async function latePods(
  cluster: Cluster,
  workload: KubernetesObject,
  signal: AbortSignal,
): Promise<readonly KubernetesObject[]> {
  const { selector } = (workload["spec"] ?? {}) as { selector?: LabelSelector | Record<string, string> };
  if (!selector) return [];
  const found: KubernetesObject[] = [];
  const options = { labelSelector: labelSelectorOf(selector) };
  for await (const pod of cluster.list(pods, workload.metadata.namespace ?? "", signal, options)) {
    if (!isPodReady(pod)) found.push(pod);
    if (found.length === reportedPods) break;
  }
  return found;
}

interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: object;
    readonly terminated?: { readonly exitCode?: number };
  };
}

async function reportPod(cluster: Cluster, context: JobContext, pod: KubernetesObject): Promise<string | undefined> {
  const { signal, info } = context;
  const { namespace = "", name } = pod.metadata;
  const what = `pod ${namespace}/${name}`;
  const status = (pod["status"] ?? {}) as {
    conditions?: readonly Condition[];
    initContainerStatuses?: readonly ContainerStatus[];
    containerStatuses?: readonly ContainerStatus[];
  };
  for (const { text } of await eventsOf(cluster, pod, "Pod", signal)) info(`${what}: ${text}`);
  const unscheduled = status.conditions?.find((it) => it.type === "PodScheduled" && it.status === "False");
  let cause = unscheduled?.message;
  for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
    const { ready = false, restartCount = 0, state = {} } = container;
    if (ready || state.terminated?.exitCode === 0) continue;
    const { reason, message } = state.waiting ?? {};
    if (reason !== undefined)
      info(`${what}, container ${container.name}: ${reason}${message ? `: ${cut(message)}` : ""}`);
    if (reason !== undefined && reason !== "ContainerCreating" && reason !== "PodInitializing")
      cause ??= `container ${container.name} of pod ${name} is in ${reason}`;
    const previous = restartCount > 0 && state.running === undefined;
    for (const line of await logOf(cluster, namespace, name, container.name, previous, signal))
      info(`${what}, container ${container.name} wrote: ${cut(line)}`);
  }
  return cause;
}

async function logOf(
  cluster: Cluster,
  namespace: string,
  pod: string,
  container: string,
  previous: boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const question = { verb: "get", group: "", resource: "pods", subresource: "log", namespace };
  if (!(await cluster.isAllowed(question, signal))) return [];
  try {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(logTimeoutMs)]);
    return await cluster.containerLog({ namespace, pod, container, lines: reportedLines, previous }, soon);
  } catch {
    signal.throwIfAborted();
    return []; // the container has not run yet, or its node is away
  }
}

function cut(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > reportedLength ? `${line.slice(0, reportedLength)}…` : line;
}
