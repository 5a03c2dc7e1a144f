import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

/** A webhook that calls a service of the cluster. */
export interface ServiceClient {
  service?: { namespace?: string; name?: string };
}
/** One of a webhook configuration. */
export interface Webhook {
  readonly name: string;
  readonly clientConfig?: ServiceClient & { readonly url?: string; readonly caBundle?: string };
}

export const webhookConfigurations = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"].map(
  (resource) => ({ apiVersion: "admissionregistration.k8s.io/v1", resource }),
);

/** Whether a webhook configuration calls a service in one of these namespaces. */
export function callsServiceOf(configuration: KubernetesObject, namespaces: ReadonlySet<string>): boolean {
  return webhooksOf(configuration).some((webhook) => callsInto(webhook, namespaces));
}

export function webhooksOf(configuration: KubernetesObject): readonly Webhook[] {
  return (configuration["webhooks"] ?? []) as Webhook[];
}

/** Whether a webhook is served from one of these namespaces. */
export function callsInto(webhook: Webhook, namespaces: ReadonlySet<string>): boolean {
  return namespaces.has(serviceOf(webhook).namespace);
}

/** The service that a webhook calls, also by its URL; without a name when it is none of the cluster's. */
export function serviceOf({ clientConfig = {} }: Webhook): { readonly namespace: string; readonly name: string } {
  const { service, url = "" } = clientConfig;
  if (service) return { namespace: service.namespace ?? "", name: service.name ?? "" };
  const [, name = "", namespace = ""] = inClusterUrl.exec(url) ?? [];
  return { namespace, name };
}

/** https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#services */
const inClusterUrl = /^https:\/\/([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:[.:/]|$)/;
