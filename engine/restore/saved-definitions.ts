import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { fateOf } from "./cluster-scoped.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { sanitize } from "./sanitize.ts";

/** What the definitions of custom resources mean for the saved ones, by resource name (`widgets.example.com`). */
export interface Definitions {
  /** Kinds whose definition the restore will make or put back: they will be served as they were saved. */
  readonly coming: ReadonlySet<string>;
  /** Kinds that stay defined as they are now, and whose versions only a webhook can convert. */
  readonly convertedByWebhook: ReadonlySet<string>;
}

/** Looks at what the restore will find, or make, of the definitions that are in the archive. */
export async function savedDefinitions(
  source: RestoreSource,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<Definitions> {
  const namespaces = new Set(source.namespaces);
  const coming = new Set<string>();
  const convertedByWebhook = new Set<string>();
  const parts = partsOf(source, ["customresourcedefinitions.apiextensions.k8s.io"]);
  for await (const { type, object: archived } of objectsOf(source, parts, signal)) {
    const { name } = archived.metadata;
    const existing = await cluster.get(type, "", name, signal);
    const fate = await fateOf(cluster, namespaces, type, sanitize(type, archived), existing, signal);
    if (fate === "made" || fate === "put back") coming.add(name);
    else if (existing && convertsByWebhook(existing)) convertedByWebhook.add(name);
  }
  return { coming, convertedByWebhook };
}

function convertsByWebhook(definition: KubernetesObject): boolean {
  const { conversion } = definition["spec"] as { conversion?: { strategy?: string } };
  return conversion?.strategy === "Webhook";
}
