import type { Part } from "../../archive/format.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { resourceName } from "../../kubernetes/kubernetes-object.ts";
import { ChangedByCluster } from "./changed-by-cluster.ts";
import { knownByName, type LiveByName, listedByName } from "../compare/live-by-name.ts";
import type { LiveObject } from "../compare/live-objects.ts";
import { liveSince } from "../compare/live-since.ts";
import { readAhead } from "../../objects/read-ahead.ts";
import { nameOf } from "../../objects/object-names.ts";
import { failWhenTooMany, reportAbandoned } from "./refused-objects.ts";
import { leaveUntouched, type NamespacedRestore, type Outcome, restoreObject } from "./restore-object.ts";
import { type SavedObject, savedObject, savedObjectsOf } from "../source/restore-source.ts";
import { refusedKey } from "./restoring-refused.ts";
import { digestsFor, savedNamesOf } from "../source/saved-names.ts";
import { type ServedType, servedType } from "../../kinds/served-types.ts";

/** After so many objects that were written the step counts as having come further. */
const batchSize = 500;

/**
 * Restores all objects of some parts as they were saved, many at once: those that are as saved are left, all others are
 * updated, recreated or created. One that the cluster refuses is noted for `restoreRefused`, and the rest goes on. A workload
 * is created without replicas; with `started` everything is created as it runs. May run again: finished objects are as saved.
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
    // While the objects of a kind are written, those of the next are listed.
    readAhead(
      Iterator.from(parts).map((part) => compared(restore, part, (count) => counts.add(part, "left", count))),
      1,
    ),
    restore.deps.limits.clusterConcurrency,
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
  counts.report(parts);
  changed.report(context, source);
}

interface Compared {
  readonly type: ServedType;
  readonly part: Part;
  readonly saved: SavedObject;
  readonly live: LiveObject | undefined;
}

/** The saved objects of a part, each with the live object of its name, but for those that are as saved in every byte. */
async function* compared(
  namespacedRestore: NamespacedRestore,
  part: Part,
  onUntouched: (count: number) => void,
): AsyncGenerator<Compared> {
  const { context, source, discovery } = namespacedRestore;
  const { restore } = namespacedRestore.deps;
  const type = servedType(discovery, part);
  if (!type) {
    const { objects } = part;
    const text = "were not restored: the cluster serves no version of this kind";
    reportAbandoned(context, source, { code: "DRS-R052", what: `${objects} ${resourceName(part)}`, text, objects });
    failWhenTooMany({ restore }, context, source);
    return;
  }
  const differing = await differingIn(namespacedRestore, part, type, onUntouched);
  if (differing.size === 0) return; // and the part need not be read
  const names = [...differing].flatMap(([namespace, { names }]) => names.map((name) => [namespace, name] as const));
  const kept = source.index.kept.of(part, names)?.map((raw) => savedObject(source, part, raw));
  let at: string | undefined;
  let there: LiveByName | undefined;
  try {
    for await (const saved of kept ?? savedObjectsOf(source, part, context.signal)) {
      const { namespace = "", name } = saved.metadata;
      const inNamespace = differing.get(namespace);
      if (inNamespace === undefined) continue;
      if (namespace !== at) {
        await there?.close();
        there = inNamespace.look();
      }
      at = namespace;
      const found = await there?.find(name);
      if (found?.is !== "untouched") yield { type, part, saved, live: found?.is };
      else if (found.raw && inNamespace.isUnseen) {
        leaveUntouched(namespacedRestore, type, found.raw.metadata);
        onUntouched(1);
      }
    }
  } finally {
    await there?.close();
  }
}

/** The objects that differ in all namespaces together are in memory when they are no more than these. */
const maxKept = 2_000;

/** The differences in a namespace. */
interface Differing {
  readonly names: readonly string[];
  /** Whether none was looked at yet, and some may be as they were saved. */
  readonly isUnseen?: boolean;
  readonly look: () => LiveByName;
}

/**
 * The namespaces where not all of a part's objects are as they were saved in every byte, with the live objects; one that is as saved
 * is noted as left, and counted. A namespace of which much differs is not looked through for that.
 */
async function differingIn(
  namespacedRestore: NamespacedRestore,
  part: Part,
  type: ServedType,
  onUntouched: (count: number) => void,
): Promise<ReadonlyMap<string, Differing>> {
  const { source, context, deps } = namespacedRestore;
  const { cluster, limits } = deps;
  const { signal } = context;
  const differing = new Map<string, Differing>();
  let kept = 0;
  for (const [namespace, names] of await savedNamesOf(source, part, signal)) {
    const digests = await digestsFor(source, part, namespace, signal);
    const listed = () => listedByName({ cluster, type, namespace, signal }, digests);
    if (source.index.seen.differsMuch(type, namespace)) {
      differing.set(namespace, { names: [...names], isUnseen: true, look: listed });
      continue;
    }
    const collection = { cluster, type, namespace, names, digests, inFlight: limits.clusterConcurrency, signal };
    const live = await liveSince(collection, source.index.seen.of(type, namespace), (metadata) => {
      if (names.has(metadata.name)) leaveUntouched(namespacedRestore, type, metadata);
    });
    const others = [...names].filter((name) => !live.untouched.has(name));
    onUntouched(names.size - others.length);
    if (others.length === 0) continue;
    kept += live.others.size;
    const isKept = kept <= maxKept;
    differing.set(namespace, { names: others, look: () => (isKept ? knownByName(live) : listed()) });
  }
  return differing;
}

const none = { written: 0, left: 0, refused: 0 };

/** How many objects of each kind were written, left, and refused: reported when each kind is done. */
class PartCounts {
  readonly #context: JobContext;
  readonly #counts = new Map<Part, { written: number; left: number; refused: number }>();
  #sinceProgress = 0;

  constructor(context: JobContext) {
    this.#context = context;
  }

  add(part: Part, outcome: Outcome, count = 1): void {
    const counts = this.#counts.get(part) ?? { written: 0, left: 0, refused: 0 };
    this.#counts.set(part, counts);
    if (outcome === "left") counts.left += count;
    else if (outcome === "written") counts.written++;
    else counts.refused++;
    if (outcome === "written" && ++this.#sinceProgress >= batchSize) {
      this.#sinceProgress = 0;
      this.#context.progressed();
    }
  }

  report(parts: readonly Part[]): void {
    for (const part of parts) {
      const { written, left, refused } = this.#counts.get(part) ?? none;
      if (written + left + refused === 0) continue;
      const also = [left > 0 && `${left} were as saved`, refused > 0 && `${refused} were refused`].filter(Boolean);
      this.#context.info(`restored ${[`${written} ${resourceName(part)}`, ...also].join(", ")}`);
      if (written > 0) this.#context.progressed();
    }
  }
}
