import type { Webhook } from "../../kinds/extensions/webhooks.ts";

/*
 * Webhooks of one configuration have a name each, and an order: mutating ones are called in it.
 * https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */

/** The list with those that it does not have yet, each after the one that comes before it in `order`. */
export function insertWebhooks(
  list: readonly Webhook[],
  further: readonly Webhook[],
  order: readonly Webhook[],
): readonly Webhook[] {
  const result = [...list];
  const indexOf = (name: string) => result.findIndex((webhook) => webhook.name === name);
  for (const webhook of further) {
    if (indexOf(webhook.name) >= 0) continue;
    const before = order
      .slice(
        0,
        Math.max(
          order.findIndex(({ name }) => name === webhook.name),
          0,
        ),
      )
      .toReversed();
    const previous = before.find(({ name }) => indexOf(name) >= 0);
    result.splice(previous ? indexOf(previous.name) + 1 : 0, 0, webhook);
  }
  return result;
}

/**
 * The live webhooks of a configuration with those of ours as they are wanted. Of one that is live, somebody who knows its
 * certificate has made it, so its `caBundle` stays. One that calls elsewhere now belongs to others and stays as it is.
 */
export function mergeWebhooks(
  live: readonly Webhook[],
  wanted: readonly Webhook[],
  isOurs: (webhook: Webhook) => boolean,
): readonly Webhook[] {
  const ours = new Map(wanted.filter(isOurs).map((webhook) => [webhook.name, webhook]));
  const present = live.map((webhook) => {
    const saved = isOurs(webhook) ? ours.get(webhook.name) : undefined;
    return saved ? withCertificateOf(webhook, saved) : webhook;
  });
  return insertWebhooks(present, [...ours.values()], wanted);
}

function withCertificateOf({ clientConfig: live }: Webhook, saved: Webhook): Webhook {
  const caBundle = live?.caBundle ?? "";
  return caBundle === "" ? saved : { ...saved, clientConfig: { ...saved.clientConfig, caBundle } };
}
