import { backupFolder } from "../archive/archive-paths.ts";
import { storageClasses } from "../kubernetes/built-in-kinds.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import type { Phase } from "../jobs/phase.ts";
import { saveNamespaces } from "../objects/namespace-saver.ts";
import { listed } from "../objects/listed.ts";
import { reportUnavailable } from "./aggregated-apis.ts";
import { mixedByHand } from "../kinds/apps/roll-out-status.ts";
import { savedObjects, validated } from "./backup-checkpoints.ts";
import type { BackupDeps } from "./backup-deps.ts";
import { lookForBelongings } from "./belongings.ts";

/** Streams the namespaces' objects, and those that they need, into the archive. Runs again from its start. */
export function savingObjects(deps: BackupDeps): Phase {
  const { cluster, archives } = deps;
  return {
    name: "SAVING_OBJECTS",
    async run(context) {
      const { job, signal } = context;
      const { namespaces, classes } = validated.read(context);
      const discovery = await cluster.discover(signal);
      reportUnavailable(discovery, namespaces, context);
      const leftOut = new Map<string, number>();
      const going = new Map<string, string[]>();
      const saved = await saveNamespaces({
        cluster,
        discovery,
        writer: archives.writer(backupFolder(job.uuid)),
        namespaces,
        further: furtherOf(lookForBelongings(deps, context, discovery, namespaces), classes),
        signal,
        onLeftOut: (type) => leftOut.set(resourceName(type), (leftOut.get(resourceName(type)) ?? 0) + 1),
        onGoing: (type, { metadata: { namespace = "", name } }) => {
          const kind = `${namespace}/${type.kind}`;
          going.set(kind, [...(going.get(kind) ?? []), name]);
        },
        onMissing: ({ kind, name, user }) =>
          context.warn(
            "DRS-B016",
            user.namespace,
            `${user.kind} ${user.name} needs ${kind}/${name}, which does not exist`,
          ),
        onObject: (type, object) => {
          const lost = mixedByHand(type, object);
          if (lost !== undefined) context.warn("DRS-R086", object.metadata.namespace ?? "", lost);
        },
        onPart: (part) => context.info(`saved ${part.objects} ${resourceName(part)}, ${part.size} bytes`),
      });
      for (const [kind, names] of going) {
        const slash = kind.indexOf("/");
        context.warn(
          "DRS-B012",
          kind.slice(0, slash),
          `${kind.slice(slash + 1)} ${listed(names.sort())} ${names.length === 1 ? "is" : "are"} being deleted, and not in this backup`,
        );
      }
      const kindsLeftOut = [...leftOut.keys()].sort();
      if (kindsLeftOut.length > 0)
        context.info(
          `not saved, as the cluster makes them itself: ${kindsLeftOut.map((kind) => `${leftOut.get(kind)} ${kind}`).join(", ")}`,
        );
      const objects = saved.reduce((sum, part) => sum + part.objects, 0);
      const bytes = saved.reduce((sum, part) => sum + part.size, 0);
      context.info(`saved ${objects} objects of ${saved.length} kinds, ${bytes} bytes compressed`);
      savedObjects.write(context, { parts: saved, unavailable: discovery.unavailable });
    },
  };
}

interface Named {
  readonly type: ResourceType;
  readonly object: KubernetesObject;
}

/** Those, and the storage classes without which there would be none for the snapshots on another cluster. */
async function* furtherOf(belongings: AsyncIterable<Named>, classes: readonly string[]): AsyncGenerator<Named> {
  yield* belongings;
  for (const name of classes) yield { type: storageClasses, object: { metadata: { name } } };
}
