import type { MoverTimes } from "../../jobs/deps.ts";
import { jobs, pods } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { waitFor, waitUntilGone } from "../../kubernetes/waiting.ts";
import { type Mover, moverContainer, moverJob, type MoverPlace } from "./mover-job.ts";
import { bytesReadIn, failureOf, type Progress, progressIn, saidIn } from "./restic-output.ts";

/** restic itself tries what its repository refuses again for 15 minutes. */
export const defaultMoverTimes: MoverTimes = { lookMs: 10_000, stallMs: 30 * 60_000 };

/** After so long a container that waits for what only a person can put right is given up: the kubelet looks again all the time. */
const mistakeMs = 60_000;
/** https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/kubelet/kuberuntime/kuberuntime_container.go, and images/types.go */
const mistakes = ["CreateContainerConfigError", "InvalidImageName", "ErrImageNeverPull"];

export interface MoverRequest extends MoverRemoval {
  readonly place: MoverPlace;
  readonly times: MoverTimes;
}

export interface MoverRemoval {
  readonly cluster: Cluster;
  readonly place: Pick<MoverPlace, "namespace" | "uuid">;
  readonly signal: AbortSignal;
}

/** Of a running mover's log: its progress, and what it complains of meanwhile. */
const shownLines = 4;

/** How a mover has ended. */
export interface MoverEnd {
  /** Why it has not done its work; undefined when it has. */
  readonly failure: string | undefined;
  /** The last that it has written. */
  readonly lines: readonly string[];
}

/** What is done at each look at a mover that runs. */
export interface Looks {
  readonly onProgress?: (progress: Progress) => void;
  /** Why a mover on this node has to end; undefined when it may go on. */
  readonly mustEnd?: (node: string) => Promise<string | undefined>;
}

/**
 * Runs a mover to completion: starts it unless an earlier run has, and waits as long as it makes progress. Its Job stays until
 * `removeMover`. May run again.
 */
export async function runMover(
  { cluster, place, times, signal }: MoverRequest,
  mover: Mover,
  { onProgress, mustEnd }: Looks = {},
): Promise<MoverEnd> {
  await cluster.createOnce(jobs, place.namespace, moverJob(place, mover), signal);
  let job: KubernetesObject | undefined;
  const see = (object: KubernetesObject, gone: boolean) => {
    job = gone ? undefined : object;
  };
  let last = "";
  let lastChange = Date.now();
  let told: Progress | undefined;
  let bytesRead: number | undefined;
  for (;;) {
    const options = { fieldSelector: `metadata.name=${mover.name}` };
    const wait = { type: jobs, namespace: place.namespace, options, timeoutMs: times.lookMs, signal };
    job = undefined;
    const isOver = await waitFor(cluster, wait, see, () => job === undefined || endOf(job) !== undefined);
    if (isOver && job === undefined) return { failure: "someone deleted its Job", lines: [] };
    const pod = await lastPodOf(cluster, place.namespace, mover.name, signal);
    if (isOver && job !== undefined) return await resultOf(cluster, job, pod, signal);
    const lines = pod ? await logOf(cluster, pod, shownLines, signal) : [];
    const progress = progressIn(lines);
    if (progress) onProgress?.(progress);
    const node = (pod?.["spec"] as { nodeName?: string } | undefined)?.nodeName;
    const end = node === undefined ? undefined : await mustEnd?.(node);
    if (end !== undefined) return { failure: end, lines };
    told = progress ?? told;
    bytesRead = bytesReadIn(lines) ?? bytesRead;
    const now = JSON.stringify([pod?.metadata.uid, phaseOf(pod), told, bytesRead]);
    if (now !== last) lastChange = Date.now();
    last = now;
    const limitMs = needsSomeone(pod) ? Math.min(times.stallMs, mistakeMs) : times.stallMs;
    if (Date.now() - lastChange < limitMs) continue;
    const why = pod === undefined ? "it has no pod" : whyWaiting(pod);
    const said = saidIn(lines);
    const words = said === "" ? "" : ` (${said})`;
    return { failure: `it made no progress for ${limitMs / 60_000} minutes: ${why}${words}`, lines };
  }
}

/** Deletes a mover's Job and waits until its pod is gone; one that is not there is no error. Returns what is left in the end. */
export async function removeMover(
  { cluster, place, signal }: MoverRemoval,
  name: string,
  timeoutMs: number,
): Promise<readonly string[]> {
  await cluster.delete(jobs, place.namespace, name, signal);
  const options = { labelSelector: `${jobNameLabel}=${name}` };
  const wait = { type: pods, namespace: place.namespace, options, timeoutMs, signal };
  return (await waitUntilGone(cluster, wait, () => true)).map(({ metadata }) => metadata.name);
}

/** Removes the movers with all of these labels, also those that have ended unless `whichRun`. */
export async function stopMovers(
  request: MoverRemoval,
  timeoutMs: number,
  labels: Readonly<Record<string, string>>,
  { whichRun = false } = {},
): Promise<void> {
  const { cluster, place, signal } = request;
  const labelSelector = Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join();
  for await (const job of cluster.list(jobs, place.namespace, signal, { labelSelector }))
    if (!whichRun || !isOver(job)) await removeMover(request, job.metadata.name, timeoutMs);
}

/** https://kubernetes.io/docs/reference/labels-annotations-taints/#job-name */
const jobNameLabel = "job-name";

/** Whether the Job of a mover has ended, well or not. */
export function isOver(job: KubernetesObject): boolean {
  return endOf(job) !== undefined;
}

function endOf(job: KubernetesObject): "Complete" | "Failed" | undefined {
  const { conditions = [] } = (job["status"] ?? {}) as { conditions?: readonly { type: string; status: string }[] };
  const isSo = (type: string) => conditions.some((one) => one.type === type && one.status === "True");
  if (isSo("Complete")) return "Complete";
  return isSo("Failed") ? "Failed" : undefined;
}

async function resultOf(
  cluster: Cluster,
  job: KubernetesObject,
  pod: KubernetesObject | undefined,
  signal: AbortSignal,
): Promise<MoverEnd> {
  // The last lines by themselves, too: of many the API server gives the first bytes.
  const lines = pod ? [...(await logOf(cluster, pod, 100, signal)), ...(await logOf(cluster, pod, 2, signal))] : [];
  if (endOf(job) === "Complete") return { failure: undefined, lines };
  const exitCode = statusOf(pod).state?.terminated?.exitCode;
  const { reason, message } = (pod?.["status"] ?? {}) as { reason?: string; message?: string };
  const failure =
    exitCode === undefined ? `its pod failed: ${message ?? reason ?? "it is gone"}` : failureOf(exitCode, lines);
  return { failure, lines };
}

async function lastPodOf(
  cluster: Cluster,
  namespace: string,
  job: string,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  let last: KubernetesObject | undefined;
  for await (const pod of cluster.list(pods, namespace, signal, { labelSelector: `${jobNameLabel}=${job}` }))
    if (last === undefined || createdAt(pod) >= createdAt(last)) last = pod;
  return last;
}

/** As the API server writes it: the later, the greater. */
export function createdAt({ metadata }: KubernetesObject): string {
  return metadata["creationTimestamp"] as string;
}

/** Nothing while there is none, or none any more. */
async function logOf(
  cluster: Cluster,
  { metadata: { namespace = "", name } }: KubernetesObject,
  lines: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    return await cluster.containerLog(
      { namespace, pod: name, container: moverContainer, lines, previous: false },
      signal,
    );
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.code === "UNAVAILABLE") throw error;
    return [];
  }
}

interface ContainerStatus {
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly terminated?: { readonly exitCode?: number };
  };
}

function statusOf(pod: KubernetesObject | undefined): ContainerStatus {
  const { containerStatuses } = (pod?.["status"] ?? {}) as { containerStatuses?: readonly ContainerStatus[] };
  return containerStatuses?.[0] ?? {};
}

function needsSomeone(pod: KubernetesObject | undefined): boolean {
  return mistakes.includes(statusOf(pod).state?.waiting?.reason ?? "");
}

function phaseOf(pod: KubernetesObject | undefined): string | undefined {
  return (pod?.["status"] as { phase?: string } | undefined)?.phase;
}

function whyWaiting(pod: KubernetesObject): string {
  const { waiting } = statusOf(pod).state ?? {};
  if (waiting) return waiting.message ?? waiting.reason ?? "its container waits";
  const { conditions = [] } = (pod["status"] ?? {}) as {
    conditions?: readonly { type: string; status: string; message?: string }[];
  };
  const unscheduled = conditions.find(({ type, status }) => type === "PodScheduled" && status === "False");
  return unscheduled?.message ?? `its pod ${pod.metadata.name} is ${phaseOf(pod) ?? "in no phase"}`;
}
