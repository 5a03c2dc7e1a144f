import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { type KubernetesObject, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { specOf, statusOf } from "../../kinds/apps/roll-out-status.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import type { NamespacedRestore } from "../objects/restore-object.ts";
import { ObjectRestorer } from "../objects/object-restorer.ts";
import { savedReadiness } from "../../kinds/readiness.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import type { RollOut } from "../objects/roll-outs.ts";
import type { ServedType } from "../../kinds/served-types.ts";
import { notReady } from "./waiting-for-apps.ts";
import { wantedObject } from "../../kinds/wanted-object.ts";

/** The noted progress of a workload's roll-out: its older pods, those of the newest template, too, or all as it was. */
type Stage = "older pods" | "newest pods" | "all";

interface Replay {
  readonly deps: Pick<JobDeps, "cluster" | "limits">;
  readonly context: JobContext;
  readonly type: ServedType;
  readonly rollOut: RollOut;
  readonly namespace: string;
  readonly name: string;
  readonly deadline: number;
  /** How far an earlier run of this phase has come. */
  readonly stage: Stage | undefined;
  readonly reached: (stage: Stage) => void;
}

/**
 * Starts a workload that was saved in a roll-out the way it had come there: with its older template, and, when as many of
 * these pods are up as were, or the time is over, with its newest. Started with that all its pods would be of the newest, and
 * what had served beside a roll-out that is stuck would be down. A daemon set is made by it. May run again. Errors as of `ObjectRestorer`.
 */
export async function replayRollOut(
  { deps, context, source }: NamespacedRestore,
  type: ServedType,
  rollOut: RollOut,
  deadline: number,
): Promise<void> {
  const { metadata } = rollOut.archived;
  const { namespace = "", name } = metadata;
  const key = stageKey(source, rollOut);
  const stage = context.notes.get<Stage>(key);
  if (stage === "all") return;
  const reached = (to: Stage) => context.notes.set(key, to);
  const replay: Replay = { deps, context, type, rollOut, namespace, name, deadline, stage, reached };
  context.info(`${type.kind} ${namespace}/${name} was saved in a roll-out: its older pods are started first`);
  if (resourceName(type) === "deployments.apps") await replayDeployment(replay);
  else if (resourceName(type) === "statefulsets.apps") await replayStatefulSet(replay);
  else await replayDaemonSet(replay);
  await restoreFieldOwners(deps.cluster, type, rollOut.archived, context.signal);
  reached("all");
}

function stageKey({ notesPrefix }: RestoreSource, { type, archived: { metadata } }: RollOut): string {
  return `${notesPrefix}roll-out/${resourceName(type)}/${metadata.namespace ?? ""}/${metadata.name}/`;
}

async function replayDeployment(replay: Replay): Promise<void> {
  const { rollOut, stage, reached } = replay;
  const { replicas = 1, paused = false, template } = specOf(rollOut.archived);
  if (stage === undefined) {
    await change(replay, { template: rollOut.older, replicas, paused: false });
    await isUp(replay, Math.min(rollOut.olderUp, replicas));
    reached("older pods");
  }
  await change(replay, { template, replicas, paused });
  await isSeen(replay, () => true);
  if (paused) await scaleAsSaved(replay);
}

/**
 * A set that rolls begins with its highest ordinal, so those are taken for the pods of the newest template. At first it has
 * no pods, and so comes to know the older template as its current one, which it makes pods below its partition from.
 * https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions
 */
async function replayStatefulSet(replay: Replay): Promise<void> {
  const { rollOut, stage, reached } = replay;
  const { archived, older, updated } = rollOut;
  const { replicas = 1, template, updateStrategy } = specOf(archived);
  const partition = Math.max(replicas - updated, 0);
  if (stage === undefined) {
    await change(replay, { template: older, updateStrategy: { type: "RollingUpdate" } });
    await isSeen(replay, ({ currentRevision, updateRevision }) => currentRevision === updateRevision);
    await change(replay, { replicas: partition });
    await isUp(replay, Math.min(rollOut.olderUp, partition));
    reached("older pods");
  }
  if (stage !== "newest pods") {
    await change(replay, {
      template,
      replicas,
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition } },
    });
    const pods = Math.min(statusOf(archived).replicas ?? 0, replicas);
    await isSeen(replay, (status) => (status.replicas ?? 0) >= pods);
    await isUp(replay, savedReadiness(replay.type, archived) ?? 0);
    reached("newest pods");
  }
  await change(replay, { replicas, updateStrategy });
  await isSeen(replay, () => true);
}

async function replayDaemonSet(replay: Replay): Promise<void> {
  const { deps, context, type, rollOut, stage, reached } = replay;
  if (stage === undefined) {
    const { signal, warn, info } = context;
    const object = wantedObject(type, rollOut.archived);
    object["spec"] = { ...specOf(object), template: rollOut.older };
    await new ObjectRestorer({ cluster: deps.cluster, signal, warn, info }).restore(type, object);
    await isUp(replay, rollOut.olderUp);
    reached("older pods");
  }
  await change(replay, { template: specOf(rollOut.archived).template });
  await isSeen(replay, () => true);
}

/** Sets fields of the spec whole. */
async function change({ deps, context, type, namespace, name }: Replay, spec: object): Promise<void> {
  const patch = Object.entries(spec).map(([field, value]) => ({ op: "add", path: `/spec/${field}`, value }));
  await deps.cluster.patch(type, namespace, name, patch, context.signal);
}

/** Waits until so many pods are up, or the time is over: pods that are late then are reported with all others. */
async function isUp({ deps, context, type, namespace, name, deadline }: Replay, pods: number): Promise<void> {
  await notReady(deps, context, type, namespace, new Map([[name, pods]]), deadline);
}

/** Waits until the controller has seen the workload as it is and its status is so, or the time is over. */
async function isSeen(
  { deps, context, type, namespace, name, deadline }: Replay,
  isSo: (status: ReturnType<typeof statusOf>) => boolean,
): Promise<void> {
  let isDone = false;
  const see = (object: KubernetesObject, gone: boolean) => {
    const { observedGeneration = 0 } = statusOf(object);
    isDone = gone || (observedGeneration >= Number(object.metadata["generation"]) && isSo(statusOf(object)));
  };
  const options = { fieldSelector: `metadata.name=${name}` };
  const timeoutMs = Math.max(deadline - Date.now(), 0);
  await waitFor(deps.cluster, { type, namespace, options, timeoutMs, signal: context.signal }, see, () => isDone);
}

/** The controller may answer a change of one replica set with one of the others until all fit again. */
const scalingRounds = 5;

/**
 * Gives the replica sets of a deployment that is paused the counts that they had: its controller leaves them alone then as
 * long as they fit together, and as they were saved they did.
 * https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
 */
async function scaleAsSaved(replay: Replay): Promise<void> {
  const { deps, context, type, rollOut, namespace, name } = replay;
  const { cluster } = deps;
  const wanted = rollOut.revisions.map(({ type: saved, object }) => ({
    saved,
    set: object.metadata.name,
    replicas: specOf(object).replicas ?? 1,
  }));
  for (let round = 1; round <= scalingRounds; round++) {
    const live = await Promise.all(wanted.map(({ saved, set }) => cluster.get(saved, namespace, set, context.signal)));
    const missing = (index: number) => (wanted[index]?.replicas ?? 0) - (specOf(live[index] ?? none).replicas ?? 0);
    const wrong = wanted.map((_, index) => index).filter((index) => live[index] && missing(index) !== 0);
    if (wrong.length === 0) return;
    // More before less: one that is alone is given all that the deployment has.
    for (const index of wrong.toSorted((a, b) => missing(b) - missing(a))) {
      const { saved, set, replicas } = wanted[index] as (typeof wanted)[number];
      await cluster.patch(saved, namespace, set, { spec: { replicas } }, context.signal);
    }
    await isSeen(replay, () => true);
  }
  context.warn(
    "DRS-R084",
    namespace,
    `${type.kind} ${name} was paused in a roll-out: its pods are not spread over its replica sets as they were`,
  );
}

const none: KubernetesObject = { metadata: { name: "" } };
