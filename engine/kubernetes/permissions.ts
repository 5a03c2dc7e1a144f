import type { AccessQuestion, Cluster } from "./cluster.ts";
import { forEachInFlight } from "./in-flight.ts";
import { groupOf, type ResourceType } from "./kubernetes-object.ts";

/**
 * Those of the rights that the service's own account lacks, in words (`delete deployments.apps in cdp`). An account that
 * may do everything is asked one question.
 */
export async function missingPermissions(
  cluster: Cluster,
  questions: readonly AccessQuestion[],
  inFlight: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (await cluster.isAllowed({ verb: "*", group: "*", resource: "*", namespace: "" }, signal)) return [];
  const missing: string[] = [];
  await forEachInFlight(questions, inFlight, async (question) => {
    if (!(await cluster.isAllowed(question, signal))) missing.push(inWords(question));
  });
  return missing.sort();
}

/** The questions for some verbs on one kind. An empty namespace: everywhere, or cluster-scoped. */
export function rightsOn(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  verbs: readonly string[],
  namespace: string,
): readonly AccessQuestion[] {
  return verbs.map((verb) => ({ verb, group: groupOf(type.apiVersion), resource: type.resource, namespace }));
}

function inWords({ verb, group, resource, subresource, namespace }: AccessQuestion): string {
  const name = subresource === undefined ? resource : `${resource}/${subresource}`;
  return `${verb} ${group === "" ? name : `${name}.${group}`}${namespace === "" ? "" : ` in ${namespace}`}`;
}
