import { DrsError } from "../errors.ts";
import type { AccessQuestion, Cluster } from "./cluster.ts";
import { forEachInFlight } from "./in-flight.ts";
import { groupOf, type ResourceType } from "./kubernetes-object.ts";

/** PERMISSION_DENIED, naming those that are missing, when the service's own account lacks rights that `what` needs: `a backup`. */
export async function checkPermissions(
  cluster: Cluster,
  what: string,
  questions: readonly AccessQuestion[],
  inFlight: number,
  signal: AbortSignal,
): Promise<void> {
  const missing = await missingPermissions(cluster, questions, inFlight, signal);
  if (missing.length > 0)
    throw new DrsError(
      "PERMISSION_DENIED",
      `the service's account lacks rights that ${what} needs: ${missing.join("; ")}`,
    );
}

/**
 * Those of the rights that the service's own account lacks, in words, like rules: `delete, patch configmaps, deployments.apps in
 * cdp`. An account that may do everything is asked one question.
 */
async function missingPermissions(
  cluster: Cluster,
  questions: readonly AccessQuestion[],
  inFlight: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (await cluster.isAllowed({ verb: "*", group: "*", resource: "*", namespace: "" }, signal)) return [];
  const missing: AccessQuestion[] = [];
  await forEachInFlight(questions, inFlight, async (question) => {
    if (!(await cluster.isAllowed(question, signal))) missing.push(question);
  });
  const byKind = Map.groupBy(missing, (question) => `${kindOf(question)}${whereOf(question)}`);
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
): readonly AccessQuestion[] {
  const { resource } = type;
  const group = groupOf(type.apiVersion);
  return verbs.map((verb) => ({ verb, group, resource, ...(subresource !== undefined && { subresource }), namespace }));
}

function kindOf({ group, resource, subresource }: AccessQuestion): string {
  const kind = group === "" ? resource : `${resource}.${group}`;
  return subresource === undefined ? kind : `${kind}/${subresource}`;
}

function whereOf({ namespace }: AccessQuestion): string {
  return namespace === "" ? "" : ` in ${namespace}`;
}

function listed(words: readonly string[]): string {
  return [...new Set(words)].sort().join(", ");
}
