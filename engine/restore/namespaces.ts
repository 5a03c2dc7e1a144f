import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { DrsError } from "../errors.ts";
import { waitFor } from "../kubernetes/waiting.ts";
import { isTerminating, namespaces as namespaceType } from "../objects/entities.ts";
import { noteAdded } from "./added-objects.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { ObjectRestorer } from "./object-restorer.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { sanitize } from "./sanitize.ts";

/**
 * Makes the namespaces, or gives those that exist their labels and annotations back. One that is being deleted is waited
 * for; FAILED_PRECONDITION, with what holds it, when that takes too long.
 */
export async function restoreNamespaces(
  { cluster, limits }: Pick<JobParts, "cluster" | "limits">,
  context: JobContext,
  source: RestoreSource,
): Promise<void> {
  const { signal, warn } = context;
  const restorer = new ObjectRestorer({ cluster, signal, warn });
  for await (const { type, object } of objectsOf(source, partsOf(source, ["namespaces"]), signal)) {
    const { name, labels = {}, annotations = {} } = object.metadata;
    await notTerminating(cluster, name, limits.finalizerTimeout, signal);
    const existing = await cluster.get(type, "", name, signal);
    if (existing) {
      const metadata = {
        labels: { ...withNulls(existing.metadata.labels), ...labels },
        annotations: { ...withNulls(existing.metadata.annotations), ...annotations },
      };
      await cluster.patch(type, "", name, { metadata }, signal);
    } else {
      noteAdded(context, source, type, name);
      await restorer.restore(type, sanitize(type, object));
    }
    await restoreFieldOwners(cluster, type, object, signal);
    context.info(`namespace ${name} is there`);
  }
}

/** In a merge patch null takes a member away: what came since the backup goes, what was there before comes back. */
function withNulls(members: Record<string, string> = {}): Record<string, null> {
  return Object.fromEntries(Object.keys(members).map((name) => [name, null]));
}

/** Waits for a terminating namespace to go. */
export async function notTerminating(
  cluster: JobParts["cluster"],
  name: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  let terminating = false;
  let holding = "";
  const gone = await waitFor(
    cluster,
    { type: namespaceType, namespace: "", options: { fieldSelector: `metadata.name=${name}` }, timeoutMs, signal },
    (namespace, isGone) => {
      terminating = !isGone && isTerminating(namespace);
      const { conditions = [] } = (namespace["status"] ?? {}) as {
        conditions?: { status: string; message?: string }[];
      };
      holding = conditions
        .filter(({ status }) => status === "True")
        .map(({ message }) => message ?? "")
        .join(" ");
    },
    () => !terminating,
  );
  if (!gone)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `namespace ${name} is still being deleted after ${timeoutMs / 1000} s: ${holding === "" ? "its status does not say what holds it" : holding}`,
    );
}
