import type { Cluster } from "../../kubernetes/cluster.ts";
import {
  exceedsLimits,
  hasStatus,
  isAllocationRefusal,
  isDenied,
  isUnconverted,
  knowsNoDryRun,
  KubernetesError,
  lacksRights,
  webhookIn,
} from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { callsServiceOf, webhookConfigurations } from "../../kinds/extensions/webhooks.ts";
import { kinds, rulesFor } from "../../kinds/kinds.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";

/**
 * The meaning of a dry run's refusal for the restore: `held`, it will be met again; `passing`, it will not, as the restore itself
 * removes the refuser, or brings the missing object; `inconclusive`, a webhook does not support dry runs.
 */
export type Weight = "held" | "passing" | "inconclusive";

/** The API server's refusal of a dry run, if it refuses. Anything but an answer about this one object is rethrown. */
export async function refusalIn(dryRun: () => Promise<unknown>): Promise<KubernetesError | undefined> {
  try {
    await dryRun();
    return undefined;
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.code === "UNAVAILABLE" || lacksRights(error)) throw error;
    return error;
  }
}

/** The refusals of today that will not be made during the restore. */
export class Refusals {
  /** The webhooks that call into namespaces that are restored as a whole: they are taken away before anything else is done. */
  readonly #ownWebhooks: ReadonlySet<string>;
  /** Objects that come with the archive and that others name: `serviceaccounts cdp/api`, `priorityclasses.scheduling.k8s.io high`. */
  readonly #coming: ReadonlySet<string>;

  private constructor(ownWebhooks: ReadonlySet<string>, coming: ReadonlySet<string>) {
    this.#ownWebhooks = ownWebhooks;
    this.#coming = coming;
  }

  static async of(source: RestoreSource, cluster: Cluster, signal: AbortSignal): Promise<Refusals> {
    const coming = new Set<string>();
    for (const kind of missing.keys())
      for await (const { object } of objectsOf(source, partsOf(source, [kind]), signal))
        coming.add(comingName(kind, object.metadata));
    return new Refusals(await ownWebhooks(cluster, new Set(source.scope.wholeNamespaces), signal), coming);
  }

  weigh(refusal: KubernetesError, namespace: string): Weight {
    const webhook = webhookIn(refusal);
    if (webhook !== undefined && this.#ownWebhooks.has(webhook)) return "passing";
    if (knowsNoDryRun(refusal)) return "inconclusive";
    if (isDenied(refusal)) return "held";
    const passes =
      hasStatus(refusal, 404, 409) ||
      exceedsLimits(refusal) ||
      isAllocationRefusal(refusal) ||
      isUnconverted(refusal) ||
      this.lacksWhatComes(refusal, namespace);
    return passes ? "passing" : "held";
  }

  /** Whether it is for want of what the archive brings, a service account for example, that an object is refused. */
  lacksWhatComes({ detail }: KubernetesError, namespace: string): boolean {
    return [...missing].some(([kind, words]) => {
      const name = words.exec(detail)?.[1];
      return name !== undefined && this.#coming.has(comingName(kind, { name, namespace }));
    });
  }
}

/**
 * Admission's messages about objects that name missing ones.
 * https://github.com/kubernetes/kubernetes/tree/v1.35.4/plugin/pkg/admission
 */
const missing = new Map(
  kinds.flatMap(({ name, saidToBeMissing }) => (saidToBeMissing ? [[name, saidToBeMissing] as const] : [])),
);

function comingName(kind: string, { namespace = "", name }: KubernetesObject["metadata"]): string {
  return rulesFor(kind).wave === "cluster" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

async function ownWebhooks(
  cluster: Cluster,
  namespaces: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const own = new Set<string>();
  for (const kind of webhookConfigurations)
    for await (const configuration of cluster.list(kind, "", signal))
      for (const webhook of (configuration["webhooks"] ?? []) as { name: string }[])
        if (callsServiceOf({ ...configuration, webhooks: [webhook] }, namespaces)) own.add(webhook.name);
  return own;
}
