import { DrsError } from "../../errors.ts";
import { customResourceDefinitions, pods } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { groupOf, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { serviceOf, webhookConfigurations, webhooksOf } from "../../kinds/extensions/webhooks.ts";
import { labelSelectorOf } from "../../kubernetes/label-selector.ts";
import { workloadOf } from "../../kinds/apps/pod-workload.ts";
import { listed } from "../../objects/listed.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { partsInScope } from "../source/saved-names.ts";
import { isStopped } from "./stopped-objects.ts";

const apiServices = { apiVersion: "apiregistration.k8s.io/v1", resource: "apiservices" };
const services = { apiVersion: "v1", resource: "services" };

type Kind = Pick<ResourceType, "apiVersion" | "resource">;

interface Called {
  readonly what: string;
  readonly namespace: string;
  readonly name: string;
}

/**
 * A restore of single objects takes no webhook away while it runs: FAILED_PRECONDITION names the workloads that it would stop and
 * that the API server calls for objects of this very restore, or for pods. It could then neither be asked for these nor take them.
 */
export async function stopsNoServer(source: RestoreSource, cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { scope } = source;
  if (scope.wholeNamespaces.length > 0) return;
  const serving = new Set<string>();
  const kinds = [...(await partsInScope(source, signal)), pods];
  for await (const { what, namespace, name } of calledServices(kinds, cluster, signal)) {
    if (!scope.targetNamespaces.includes(namespace)) continue;
    const service = await cluster.get(services, namespace, name, signal);
    const { selector } = (service?.["spec"] ?? {}) as { selector?: Record<string, string> };
    if (!selector) continue;
    const options = { labelSelector: labelSelectorOf(selector) };
    for await (const pod of cluster.list(pods, namespace, signal, options)) {
      if (!isStopped(scope, pods, pod)) continue;
      const workload = workloadOf(pod);
      const who = workload ? `${workload.type.kind} ${workload.name}` : `Pod ${pod.metadata.name}`;
      serving.add(`${who} of ${namespace} (${what})`);
    }
  }
  if (serving.size > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `selected workloads answer calls that the API server needs to make while they are stopped: ${listed([...serving])}; restore the whole namespace, or leave them out`,
      { id: "DRS-R033" },
    );
}

/** https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-rules */
interface Rules {
  readonly failurePolicy?: string;
  readonly rules?: readonly { readonly apiGroups: readonly string[]; readonly resources: readonly string[] }[];
}

/** Whether a webhook judges objects of a kind. */
function judges({ failurePolicy, rules = [] }: Rules, { apiVersion, resource }: Kind): boolean {
  if (failurePolicy === "Ignore") return false;
  return rules.some(({ apiGroups, resources }) => {
    const kinds = resources.map((one) => one.split("/")[0] ?? "");
    return includes(apiGroups, groupOf(apiVersion)) && includes(kinds, resource);
  });
}

function includes(names: readonly string[], name: string): boolean {
  return names.includes("*") || names.includes(name);
}

/** The services that the API server calls for objects of some kinds. */
async function* calledServices(kinds: readonly Kind[], cluster: Cluster, signal: AbortSignal): AsyncGenerator<Called> {
  const names = new Set(kinds.map(resourceName));
  const versions = new Set(kinds.map(({ apiVersion }) => apiVersion));
  for (const type of webhookConfigurations)
    for await (const configuration of cluster.list(type, "", signal))
      for (const webhook of webhooksOf(configuration))
        if (kinds.some((kind) => judges(webhook as Rules, kind)))
          yield { what: `webhook ${webhook.name}`, ...serviceOf(webhook) };
  for await (const { metadata, ...definition } of cluster.list(customResourceDefinitions, "", signal)) {
    const { conversion } = definition["spec"] as {
      conversion?: { webhook?: { clientConfig?: { service?: { namespace: string; name: string } } } };
    };
    const service = conversion?.webhook?.clientConfig?.service;
    if (service && names.has(metadata.name))
      yield { what: `converts ${metadata.name}`, namespace: service.namespace, name: service.name };
  }
  for await (const { metadata, ...apiService } of cluster.list(apiServices, "", signal)) {
    const { group, version, service } = apiService["spec"] as {
      group: string;
      version: string;
      service?: { namespace: string; name: string };
    };
    if (service && versions.has(`${group}/${version}`))
      yield { what: `APIService ${metadata.name}`, namespace: service.namespace, name: service.name };
  }
}
