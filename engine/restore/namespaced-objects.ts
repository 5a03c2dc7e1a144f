import type { Part } from "../archive/format.ts";
import type { JobContext } from "../jobs/phase.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { resourceName } from "../kubernetes/kubernetes-object.ts";
import { ChangedByCluster } from "./changed-by-cluster.ts";
import { type LiveObject, type LiveObjects, liveObjects } from "./live-objects.ts";
import { nameOf } from "./object-names.ts";
import { failWhenTooMany, tellGivenUp } from "./refused-objects.ts";
import { leaveUntouched, type NamespacedRestore, type Outcome, restoreObject } from "./restore-object.ts";
import { type SavedObject, savedObjectsOf } from "./restore-source.ts";
import { refusedKey } from "./restoring-refused.ts";
import { type ServedType, servedType } from "./served-types.ts";

/** After so many objects that were written the step counts as having come further. */
const batchSize = 500;

/**
 * Makes all objects of some parts as they were saved, many at once: what is as saved is left where it is, all else is
 * updated, recreated or created. One that the cluster refuses is noted for `restoreRefused`, and the rest goes on. A workload
 * that is made has no replicas; with `started` everything is made as it runs. May run again: what it has done is as saved.
 */
export async function restoreObjects(
  restore: NamespacedRestore,
  parts: readonly Part[],
  { started = false } = {},
): Promise<void> {
  const { context, source } = restore;
  const counts = new PartCounts(context);
  const changed = new ChangedByCluster();
  await forEachInFlight(
    compared(restore, parts, (part) => counts.add(part, "left")),
    restore.parts.limits.clusterConcurrency,
    async ({ type, part, saved, live }) => {
      const object = saved.object();
      const outcome = await restoreObject(restore, type, object, { live, started, changed });
      if (outcome !== "left" && outcome !== "written") {
        const name = nameOf(object.metadata.namespace ?? "", type, object.metadata.name);
        context.notes.set(refusedKey(source, part, object), `${name}: ${outcome.refusal}`);
        context.info(`${name} will be tried again: ${outcome.refusal}`);
      }
      counts.add(part, outcome);
    },
  );
  counts.tell();
  changed.tell(context, source);
}

interface Compared {
  readonly type: ServedType;
  readonly part: Part;
  readonly saved: SavedObject;
  readonly live: LiveObject | undefined;
}

/** The saved objects of some parts, each with what is there of its name, but for those that are as saved in every byte. */
async function* compared(
  namespacedRestore: NamespacedRestore,
  parts: readonly Part[],
  onUntouched: (part: Part) => void,
): AsyncGenerator<Compared> {
  const { context, source, discovery } = namespacedRestore;
  const { cluster, restore } = namespacedRestore.parts;
  for (const part of parts) {
    const type = servedType(discovery, part);
    if (!type) {
      const { objects } = part;
      const text = "were not restored: the cluster serves no version of this kind";
      tellGivenUp(context, source, { what: `${objects} ${resourceName(part)}`, text, objects });
      failWhenTooMany({ restore }, context, source);
      continue;
    }
    let at: string | undefined;
    let there: LiveObjects | undefined;
    const { digests } = await source.index.of(source, part, context.signal);
    for await (const saved of savedObjectsOf(source, part, context.signal)) {
      const { namespace = "", name } = saved.metadata;
      if (namespace !== at) there = await liveObjects(cluster, type, namespace, digests, context.signal);
      at = namespace;
      if (there?.untouched.has(name)) {
        leaveUntouched(namespacedRestore, type, saved.metadata);
        onUntouched(part);
      } else yield { type, part, saved, live: there?.others.get(name) };
    }
  }
}

/** How many objects of each kind were written, left, and refused: told as each is done with. */
class PartCounts {
  readonly #context: JobContext;
  readonly #counts = new Map<Part, { written: number; left: number; refused: number }>();
  #sinceProgress = 0;

  constructor(context: JobContext) {
    this.#context = context;
  }

  add(part: Part, outcome: Outcome): void {
    const counts = this.#counts.get(part) ?? { written: 0, left: 0, refused: 0 };
    this.#counts.set(part, counts);
    if (outcome === "left") counts.left++;
    else if (outcome === "written") counts.written++;
    else counts.refused++;
    if (outcome === "written" && ++this.#sinceProgress >= batchSize) {
      this.#sinceProgress = 0;
      this.#context.progressed();
    }
  }

  tell(): void {
    for (const [part, { written, left, refused }] of this.#counts) {
      const also = [left > 0 && `${left} were as saved`, refused > 0 && `${refused} were refused`].filter(Boolean);
      this.#context.info(`restored ${[`${written} ${resourceName(part)}`, ...also].join(", ")}`);
      if (written > 0) this.#context.progressed();
    }
  }
}
