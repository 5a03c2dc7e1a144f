import type { Cluster } from "../kubernetes/cluster.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { groupOf, type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { podTemplateOf } from "./pod-template.ts";

/** An object as the API server sent it, and parsed to be looked at. */
export interface SavableObject {
  readonly bytes: Buffer;
  readonly object: KubernetesObject;
}

export interface RoleRef {
  kind: string;
  name: string;
}
interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}
interface ServiceClient {
  service?: { namespace?: string; name?: string };
}
/** One of a webhook configuration. */
export interface Webhook {
  readonly name: string;
  readonly clientConfig?: ServiceClient & { readonly url?: string; readonly caBundle?: string };
}

/** How the cluster-scoped kinds are read: by name, or looked through. In this order, as some say what later ones are needed. */
export const verbsOfNeeds: Readonly<Record<string, "get" | "list">> = {
  "customresourcedefinitions.apiextensions.k8s.io": "get",
  "priorityclasses.scheduling.k8s.io": "get",
  "runtimeclasses.node.k8s.io": "get",
  "storageclasses.storage.k8s.io": "get",
  "volumesnapshotclasses.snapshot.storage.k8s.io": "list",
  namespaces: "get",
  persistentvolumes: "get",
  "clusterrolebindings.rbac.authorization.k8s.io": "list",
  "clusterroles.rbac.authorization.k8s.io": "get",
  "validatingwebhookconfigurations.admissionregistration.k8s.io": "list",
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": "list",
  "apiservices.apiregistration.k8s.io": "list",
};

/**
 * Which cluster-scoped objects the objects of some namespaces need, gathered while those pass by. Only names are kept.
 * Those that belong to the cluster itself (bootstrap roles, system priority classes) are not among them.
 */
export class ClusterScopedNeeds {
  readonly #namespaces: ReadonlySet<string>;
  readonly #names = new Map<string, Set<string>>();
  readonly #drivers = new Set<unknown>();
  readonly #added = new Map<string, Set<string>>();

  constructor(namespaces: readonly string[]) {
    this.#namespaces = new Set(namespaces);
  }

  /** Takes notice of what a namespaced object refers to. */
  note(type: ResourceType, object: KubernetesObject): void {
    const spec = (object["spec"] ?? {}) as Record<string, unknown>;
    switch (resourceName(type)) {
      case "persistentvolumeclaims":
        this.#need("persistentvolumes", spec["volumeName"]);
        this.#need("storageclasses.storage.k8s.io", spec["storageClassName"]);
        break;
      case "rolebindings.rbac.authorization.k8s.io": {
        const role = object["roleRef"] as RoleRef | undefined;
        if (role?.kind === "ClusterRole") this.#need("clusterroles.rbac.authorization.k8s.io", role.name);
        break;
      }
      default: {
        const pod = podTemplateOf(object)?.spec;
        this.#need("priorityclasses.scheduling.k8s.io", pod?.priorityClassName);
        this.#need("runtimeclasses.node.k8s.io", pod?.runtimeClassName);
        if (groupOf(type.apiVersion).includes("."))
          this.#need("customresourcedefinitions.apiextensions.k8s.io", resourceName(type));
      }
    }
  }

  /** Counts an object of a cluster-scoped kind among those that are needed, though nothing refers to it. */
  add(resource: string, name: string): void {
    this.#added.set(resource, (this.#added.get(resource) ?? new Set()).add(name));
  }

  /** The needed objects of each cluster-scoped kind but namespaces; to be taken one kind after the other, in this order. */
  async *kinds(
    cluster: Cluster,
    discovery: Discovery,
    signal: AbortSignal,
  ): AsyncGenerator<readonly [ResourceType, AsyncIterable<SavableObject>]> {
    for (const [name, verb] of Object.entries(verbsOfNeeds)) {
      const type = discovery.resources.find((resource) => resourceName(resource) === name);
      if (!type || name === "namespaces") continue;
      const found = verb === "get" ? this.#byName(cluster, type, signal) : cluster.listRaw(type, "", signal);
      yield [type, matching(found, (object) => this.isNeeded(type, object))];
    }
  }

  /**
   * Whether an object of a cluster-scoped kind is needed. To be asked when all namespaced ones were noted, of one kind after
   * the other in the order of `verbsOfNeeds`, as it takes notice of what the object needs in turn.
   */
  isNeeded(type: ResourceType, object: KubernetesObject): boolean {
    const { name, labels } = object.metadata;
    const kind = resourceName(type);
    if (this.#added.get(kind)?.has(name) === true) return true;
    switch (kind) {
      case "namespaces":
        return this.#namespaces.has(name);
      case "volumesnapshotclasses.snapshot.storage.k8s.io":
        return this.#drivers.has(object["driver"]);
      case "clusterrolebindings.rbac.authorization.k8s.io":
        return this.#bindsOurs(object);
      case "validatingwebhookconfigurations.admissionregistration.k8s.io":
      case "mutatingwebhookconfigurations.admissionregistration.k8s.io":
        return callsServiceOf(object, this.#namespaces);
      case "apiservices.apiregistration.k8s.io":
        return this.#namespaces.has((object["spec"] as ServiceClient | undefined)?.service?.namespace ?? "");
      default: {
        const isNeeded = this.#names.get(kind)?.has(name) === true && labels?.[bootstrapping] === undefined;
        if (isNeeded && kind === "storageclasses.storage.k8s.io") this.#drivers.add(object["provisioner"]);
        return isNeeded;
      }
    }
  }

  /** Whom else than these namespaces a needed object gives rights to, or sends what is written, in words. */
  othersIn(type: ResourceType, object: KubernetesObject): readonly string[] {
    switch (resourceName(type)) {
      case "clusterrolebindings.rbac.authorization.k8s.io":
        return subjectsOf(object)
          .filter((subject) => !this.#isOurs(subject))
          .map(({ kind, namespace, name }) => `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`);
      case "validatingwebhookconfigurations.admissionregistration.k8s.io":
      case "mutatingwebhookconfigurations.admissionregistration.k8s.io":
        return webhooksOf(object)
          .filter((webhook) => !callsInto(webhook, this.#namespaces))
          .map(({ name }) => `what webhook ${name} calls`);
      default:
        return [];
    }
  }

  #need(resource: string, name: unknown): void {
    if (typeof name !== "string" || name === "" || name.startsWith("system-")) return;
    const names = this.#names.get(resource);
    if (names) names.add(name);
    else this.#names.set(resource, new Set([name]));
  }

  async *#byName(cluster: Cluster, type: ResourceType, signal: AbortSignal): AsyncGenerator<readonly Buffer[]> {
    const kind = resourceName(type);
    const names = new Set([...(this.#names.get(kind) ?? []), ...(this.#added.get(kind) ?? [])]);
    for (const name of [...names].sort()) {
      const bytes = await cluster.getRaw(type, "", name, signal);
      if (bytes !== undefined) yield [bytes];
    }
  }

  #bindsOurs(binding: KubernetesObject): boolean {
    const ours = subjectsOf(binding).some((subject) => this.#isOurs(subject));
    if (ours) this.#need("clusterroles.rbac.authorization.k8s.io", (binding["roleRef"] as RoleRef | undefined)?.name);
    return ours;
  }

  #isOurs({ kind, name, namespace = "" }: Subject): boolean {
    if (kind === "ServiceAccount") return this.#namespaces.has(namespace);
    const group = "system:serviceaccounts:";
    return name.startsWith(group) && this.#namespaces.has(name.slice(group.length));
  }
}

/** On what the API server makes itself. */
const bootstrapping = "kubernetes.io/bootstrapping";

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

/** The subjects of a role binding. */
export function subjectsOf(binding: KubernetesObject): readonly Subject[] {
  return (binding["subjects"] ?? []) as Subject[];
}

async function* matching(
  pages: AsyncIterable<readonly Buffer[]>,
  isNeeded: (object: KubernetesObject) => boolean,
): AsyncGenerator<SavableObject> {
  for await (const page of pages)
    for (const bytes of page) {
      const object = JSON.parse(bytes.toString()) as KubernetesObject;
      if (isNeeded(object)) yield { bytes, object };
    }
}
