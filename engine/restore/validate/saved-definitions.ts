import { customResourceDefinitions } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { type KubernetesObject, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { fateOf } from "../objects/cluster-scoped.ts";
import { namesAreFree } from "./definition-names.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { sanitize } from "../../kinds/sanitize.ts";

/** The consequences of custom resource definitions for the saved resources, by resource name (`widgets.example.com`). */
export interface Definitions {
  /** Kinds whose definition the restore will make or put back: they will be served as they were saved. */
  readonly coming: ReadonlySet<string>;
  /** Kinds that stay defined as they are now, and whose versions only a webhook can convert. */
  readonly convertedByWebhook: ReadonlySet<string>;
}

/**
 * Looks at what the restore will find, or make, of the definitions that are in the archive. FAILED_PRECONDITION when another
 * definition has a name that one of them needs: its kind would not be served.
 */
export async function savedDefinitions(
  source: RestoreSource,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<Definitions> {
  const namespaces = new Set(source.targetNamespaces);
  const coming = new Set<string>();
  const convertedByWebhook = new Set<string>();
  const wanted: KubernetesObject[] = [];
  const parts = partsOf(source, [resourceName(customResourceDefinitions)]);
  for await (const { type, object: archived } of objectsOf(source, parts, signal)) {
    const { name } = archived.metadata;
    const existing = await cluster.get(type, "", name, signal);
    const fate = await fateOf(cluster, namespaces, type, sanitize(type, archived), existing, signal);
    if (fate === "made" || fate === "put back") {
      coming.add(name);
      wanted.push(archived);
    } else if (existing && convertsByWebhook(existing)) convertedByWebhook.add(name);
  }
  await namesAreFree(wanted, cluster, signal);
  return { coming, convertedByWebhook };
}

function convertsByWebhook(definition: KubernetesObject): boolean {
  const { conversion } = definition["spec"] as { conversion?: { strategy?: string } };
  return conversion?.strategy === "Webhook";
}
