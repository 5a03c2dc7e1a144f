import { DrsError } from "../errors.ts";
import type { ResourceRight, Cluster } from "./cluster.ts";
import { forEachInFlight } from "./in-flight.ts";
import { hasStatus } from "./kubernetes-error.ts";
import { groupOf, type ResourceType } from "./kubernetes-object.ts";

/**
 * PERMISSION_DENIED, naming those that are missing, when the service's own account lacks rights that `what` needs: `a backup`.
 * Where a namespace does not exist, which took its role bindings along, that is said first, in place of its many rights.
 */
export async function checkRights(
  cluster: Cluster,
  what: string,
  questions: readonly ResourceRight[],
  inFlight: number,
  signal: AbortSignal,
): Promise<void> {
  const lack = await rightsLacking(cluster, what, questions, inFlight, signal);
  if (lack !== undefined) throw lack;
}

/** The error of `checkRights` for missing rights; undefined when none is missing. */
export async function rightsLacking(
  cluster: Cluster,
  what: string,
  questions: readonly ResourceRight[],
  inFlight: number,
  signal: AbortSignal,
): Promise<DrsError | undefined> {
  const missing = await missingRights(cluster, questions, inFlight, signal);
  if (missing.length === 0) return undefined;
  const gone = await missingNamespaces(cluster, questions, missing, signal);
  const rights = inWords(missing.filter(({ namespace }) => !gone.has(namespace)));
  const faults = [
    ...gone.values(),
    ...(rights.length > 0 ? [`the service's account lacks rights that ${what} needs: ${rights.join("; ")}`] : []),
  ];
  return new DrsError("PERMISSION_DENIED", faults.join("; "), { id: gone.size > 0 ? "DRS-J009" : "DRS-J008" });
}

/** Those that the service's own account lacks. An account that may do everything is asked one question. */
async function missingRights(
  cluster: Cluster,
  questions: readonly ResourceRight[],
  inFlight: number,
  signal: AbortSignal,
): Promise<readonly ResourceRight[]> {
  if (await cluster.isAllowed({ verb: "*", group: "*", resource: "*", namespace: "" }, signal)) return [];
  const missing: ResourceRight[] = [];
  await forEachInFlight(questions, inFlight, async (question) => {
    if (!(await cluster.isAllowed(question, signal))) missing.push(question);
  });
  return missing;
}

/**
 * The message about each namespace that is missing, or will be, and in which most rights are missing: those that
 * are bound in the whole cluster outlast it.
 */
async function missingNamespaces(
  cluster: Cluster,
  questions: readonly ResourceRight[],
  missing: readonly ResourceRight[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const asked = Map.groupBy(questions, ({ namespace }) => namespace);
  const faults = new Map<string, string>();
  const lackedIn = Map.groupBy(missing, ({ namespace }) => namespace);
  for (const namespace of [...lackedIn.keys()].sort()) {
    const lacked = lackedIn.get(namespace) ?? [];
    if (namespace === "" || lacked.length * 2 < (asked.get(namespace)?.length ?? 0)) continue;
    const found = await whatIsThere(cluster, namespace, signal);
    if (found === "present") continue;
    const [how, when] = found === "absent" ? ["does not exist,", ""] : ["is being deleted,", "when it is gone, "];
    faults.set(
      namespace,
      `namespace ${namespace} ${how} and with it the role binding that gives the service its rights there: ` +
        `${when}create it and apply deploy/kubernetes.yaml again`,
    );
  }
  return faults;
}

/** A namespace that may not be looked at counts as present. */
async function whatIsThere(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<"present" | "absent" | "going"> {
  try {
    const found = await cluster.get({ apiVersion: "v1", resource: "namespaces" }, "", namespace, signal);
    if (!found) return "absent";
    return found.metadata.deletionTimestamp === undefined ? "present" : "going";
  } catch (error) {
    if (hasStatus(error, 403)) return "present";
    throw error;
  }
}

/** Rights like rules: `delete, patch configmaps, deployments.apps in cdp`. */
function inWords(rights: readonly ResourceRight[]): readonly string[] {
  const byKind = Map.groupBy(rights, (question) => `${kindOf(question)}${whereOf(question)}`);
  const rules = new Map<string, { verbs: string; where: string; kinds: string[] }>();
  for (const [question, ...others] of byKind.values()) {
    if (!question) continue;
    const verbs = listed([question, ...others].map(({ verb }) => verb));
    const where = whereOf(question);
    const rule = rules.get(verbs + where) ?? { verbs, where, kinds: [] };
    rule.kinds.push(kindOf(question));
    rules.set(verbs + where, rule);
  }
  return [...rules.values()].map(({ verbs, kinds, where }) => `${verbs} ${listed(kinds)}${where}`).sort();
}

/** The questions for some verbs on one kind, or on a subresource of it. An empty namespace: everywhere, or cluster-scoped. */
export function rightsOn(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  verbs: readonly string[],
  namespace: string,
  subresource?: string,
): readonly ResourceRight[] {
  const { resource } = type;
  const group = groupOf(type.apiVersion);
  return verbs.map((verb) => ({ verb, group, resource, ...(subresource !== undefined && { subresource }), namespace }));
}

function kindOf({ group, resource, subresource }: ResourceRight): string {
  const kind = group === "" ? resource : `${resource}.${group}`;
  return subresource === undefined ? kind : `${kind}/${subresource}`;
}

function whereOf({ namespace }: ResourceRight): string {
  return namespace === "" ? "" : ` in ${namespace}`;
}

function listed(words: readonly string[]): string {
  return [...new Set(words)].sort().join(", ");
}
