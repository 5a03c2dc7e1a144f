import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { isSameJson } from "../../kubernetes/exact-json.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import {
  callsInto,
  serviceOf,
  type Webhook,
  webhookConfigurations,
  webhooksOf,
} from "../../kinds/extensions/webhooks.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { labelsAndAnnotations } from "../compare/labels-and-annotations.ts";
import { insertWebhooks, mergeWebhooks } from "./merging-webhooks.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import type { OwnerLinks } from "../objects/owner-links.ts";
import { reportAbandoned } from "../objects/refused-objects.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { sanitize } from "../../kinds/sanitize.ts";

/** A configuration as it was before webhooks were taken out of it. */
interface Taken {
  readonly configuration: KubernetesObject;
}
const takenNotes = "webhooks/";

/** How often one that somebody else changes at the same moment is tried. */
const maxAttempts = 10;

/**
 * Takes the admission webhooks that are served from the namespaces out of their configurations: they would refuse, or delay,
 * everything from here on. Configurations stay, also empty, and so do others' webhooks in them. Removed webhooks are noted
 * before. To be called before anything else is changed, and again where somebody may have recreated them.
 */
export async function removeWebhooks(
  { cluster }: Pick<JobDeps, "cluster">,
  context: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  const isOurs = callsIntoOneOf(namespaces);
  for (const kind of webhookConfigurations)
    for await (const { metadata, ...rest } of cluster.list(kind, "", context.signal)) {
      const { name } = metadata;
      if (!webhooksOf({ metadata, ...rest }).some(isOurs)) continue;
      const names = await untilUndisturbed(async () => {
        const configuration = await cluster.get(kind, "", name, context.signal);
        const webhooks = configuration ? webhooksOf(configuration) : [];
        const ours = webhooks.filter(isOurs);
        if (!configuration || ours.length === 0) return [];
        note(context, kind, configuration, ours);
        const { resourceVersion } = configuration.metadata;
        const others = webhooks.filter((webhook) => !isOurs(webhook));
        await cluster.patch(kind, "", name, { metadata: { resourceVersion }, webhooks: others }, context.signal);
        return ours.map((webhook) => webhook.name);
      });
      if (names.length > 0)
        context.info(`took ${names.join(", ")} out of ${kind.resource} ${name} until the applications are up`);
    }
}

/** The first state seen is the one before the restore; a recreated webhook counts where it was not there then. */
function note({ notes }: JobContext, kind: Kind, configuration: KubernetesObject, ours: readonly Webhook[]): void {
  const key = `${takenNotes}${kind.resource}/${configuration.metadata.name}/`;
  const before = notes.get<Taken>(key)?.configuration;
  const webhooks = before && insertWebhooks(webhooksOf(before), ours, webhooksOf(configuration));
  const taken: Taken = { configuration: before ? { ...before, webhooks } : configuration };
  notes.set(key, taken);
}

type Kind = Pick<ResourceType, "apiVersion" | "resource">;

/**
 * Lets webhooks call into the control plane again: those of the source, and those that were taken away and are not in it. The
 * webhooks of others that are in the same configurations stay as they are now. May run again.
 */
export async function restoreWebhooks(
  source: RestoreSource,
  { cluster }: Pick<JobDeps, "cluster">,
  context: JobContext,
  links: OwnerLinks,
): Promise<void> {
  for (const kind of webhookConfigurations) {
    const taken = new Map<string, KubernetesObject>();
    for (const [, { configuration }] of context.notes.entries<Taken>(`${takenNotes}${kind.resource}/`))
      taken.set(configuration.metadata.name, configuration);
    const restore = { cluster, context, source, links, isOurs: callsIntoOneOf(source.targetNamespaces) };
    const parts = partsOf(source, [resourceName(kind)]);
    for await (const { type, object } of objectsOf(source, parts, context.signal)) {
      await putBack(restore, type, object, taken.get(object.metadata.name));
      taken.delete(object.metadata.name);
    }
    for (const configuration of taken.values())
      await putBack(restore, { ...kind, kind: kindOf(kind), namespaced: false }, undefined, configuration);
  }
}

function kindOf({ resource }: Kind): string {
  return resource.startsWith("mutating") ? "MutatingWebhookConfiguration" : "ValidatingWebhookConfiguration";
}

interface WebhooksRestore {
  readonly cluster: JobDeps["cluster"];
  readonly context: JobContext;
  readonly source: RestoreSource;
  readonly links: OwnerLinks;
  readonly isOurs: (webhook: Webhook) => boolean;
}

/** Puts one configuration back, of which one of the two states at least is known. */
async function putBack(
  restore: WebhooksRestore,
  type: ResourceType,
  saved: KubernetesObject | undefined,
  taken: KubernetesObject | undefined,
): Promise<void> {
  const { cluster, context, source, links, isOurs } = restore;
  const { signal, notes } = context;
  const reference = (saved ?? taken) as KubernetesObject;
  const { name, uid } = reference.metadata;
  const before = taken ? webhooksOf(taken) : [];
  const inSource = new Set(saved && webhooksOf(saved).map((webhook) => webhook.name));
  const newer = before.filter((webhook) => isOurs(webhook) && !inSource.has(webhook.name));
  const all = insertWebhooks(webhooksOf(reference), newer, before);
  const begun = `${source.notesPrefix}begun/${resourceName(type)}/${name}`;
  try {
    const isWritten = await untilUndisturbed(async () => {
      const live = await cluster.get(type, "", name, signal);
      links.restored(uid, live?.metadata.uid);
      const wanted = sanitize(type, reference);
      const webhooks = live ? mergeWebhooks(webhooksOf(live), all, isOurs) : all;
      const foreign = live
        ? webhooksOf(live).filter(
            (webhook) => !isOurs(webhook) && all.some((it) => isOurs(it) && it.name === webhook.name),
          )
        : [];
      for (const webhook of foreign)
        context.warn(
          "DRS-R036",
          "",
          `${type.kind} ${name}: webhook ${webhook.name} was not restored: a webhook of its name calls elsewhere now`,
        );
      const isShared = [...webhooks, ...all].some((webhook) => !isOurs(webhook));
      if (live && saved && isShared && labelsAndAnnotations(live, saved))
        context.warn(
          "DRS-R060",
          "",
          `${type.kind} ${name} does not have the saved labels and annotations, and is left as it is: it contains webhooks of others`,
        );
      const next = { ...(live && isShared ? sanitize(type, live) : wanted), webhooks };
      if (live && isSameJson(withoutType(next), withoutType(sanitize(type, live)))) return notes.get(begun) === true;
      notes.set(begun, true);
      if (live) {
        const { resourceVersion, ownerReferences } = live.metadata;
        const metadata = { ...next.metadata, resourceVersion, ...(ownerReferences && { ownerReferences }) };
        await cluster.replace(type, "", { ...next, metadata } as KubernetesObject, signal);
      } else {
        const ownerReferences = [...links.ownersFor(type, reference)];
        const made = { ...next, metadata: { ...next.metadata, ownerReferences } };
        links.restored(uid, (await cluster.create(type, "", made, signal)).metadata.uid);
      }
      return true;
    });
    if (!isWritten) return;
    const live = await cluster.get(type, "", name, signal);
    if (live && isSameJson(webhooksOf(live), webhooksOf(reference)))
      await restoreFieldOwners(cluster, type, reference, signal);
    context.info(`restored ${type.kind} ${name}`);
  } catch (error) {
    reportAbandoned(context, source, {
      code: "DRS-R003",
      what: `${type.kind} ${name}`,
      text: `was not restored: ${refusalOf(error)}`,
    });
  }
  if (source.notesPrefix === "") await reportUnanswered(restore, type, name, newer);
}

/** A webhook that is newer than the backup may call a service that is not in it, and refuse everything then. */
async function reportUnanswered(
  { cluster, context }: WebhooksRestore,
  { kind }: ResourceType,
  configuration: string,
  webhooks: readonly Webhook[],
): Promise<void> {
  for (const webhook of webhooks) {
    const { namespace, name } = serviceOf(webhook);
    if (await cluster.get({ apiVersion: "v1", resource: "services" }, namespace, name, context.signal)) continue;
    context.warn(
      "DRS-R035",
      "",
      `${kind} ${configuration}: webhook ${webhook.name} is newer than the backup and calls service ${namespace}/${name}, which does not exist; ` +
        "create the service, or remove the webhook",
    );
  }
}

function callsIntoOneOf(namespaces: readonly string[]): (webhook: Webhook) => boolean {
  const ours = new Set(namespaces);
  return (webhook) => callsInto(webhook, ours);
}

function withoutType({ apiVersion: _a, kind: _k, ...rest }: KubernetesObject): object {
  return rest;
}

/** Repeats a step that conflicted with another change, or with another's creation of the same object. */
async function untilUndisturbed<T>(step: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await step();
    } catch (error) {
      if (!hasStatus(error, 409) || attempt === maxAttempts) throw error;
    }
}
