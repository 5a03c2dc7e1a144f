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
  service?: { namespace?: string };
}

/** How the cluster-scoped kinds are read: by name, or looked through. */
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

  /** The needed objects of each cluster-scoped kind; to be taken one kind after the other, in this order. */
  async *kinds(
    cluster: Cluster,
    discovery: Discovery,
    signal: AbortSignal,
  ): AsyncGenerator<readonly [ResourceType, AsyncIterable<SavableObject>]> {
    const byName = (type: ResourceType) => this.#byName(cluster, type, signal);
    const where = (type: ResourceType, isNeeded: (object: KubernetesObject) => boolean) =>
      matching(cluster.listRaw(type, "", signal), isNeeded);
    const drivers = new Set<string>();
    const choices: readonly (readonly [string, (type: ResourceType) => AsyncIterable<SavableObject>])[] = [
      ["customresourcedefinitions.apiextensions.k8s.io", byName],
      ["priorityclasses.scheduling.k8s.io", byName],
      ["runtimeclasses.node.k8s.io", byName],
      [
        "storageclasses.storage.k8s.io",
        (type) => noting(byName(type), (object) => drivers.add(String(object["provisioner"]))),
      ],
      [
        "volumesnapshotclasses.snapshot.storage.k8s.io",
        (type) => where(type, (object) => drivers.has(String(object["driver"]))),
      ],
      ["persistentvolumes", byName],
      ["clusterrolebindings.rbac.authorization.k8s.io", (type) => where(type, (object) => this.#bindsOurs(object))],
      ["clusterroles.rbac.authorization.k8s.io", byName],
      [
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        (type) => where(type, (object) => this.#callsOurs(object)),
      ],
      [
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        (type) => where(type, (object) => this.#callsOurs(object)),
      ],
      ["apiservices.apiregistration.k8s.io", (type) => where(type, (object) => this.#servedByOurs(object))],
    ];
    for (const [name, find] of choices) {
      const type = discovery.resources.find((resource) => resourceName(resource) === name);
      if (type) yield [type, find(type)];
    }
  }

  #need(resource: string, name: unknown): void {
    if (typeof name !== "string" || name === "" || name.startsWith("system-")) return;
    const names = this.#names.get(resource);
    if (names) names.add(name);
    else this.#names.set(resource, new Set([name]));
  }

  async *#byName(cluster: Cluster, type: ResourceType, signal: AbortSignal): AsyncGenerator<SavableObject> {
    for (const name of [...(this.#names.get(resourceName(type)) ?? [])].sort()) {
      const bytes = await cluster.getRaw(type, "", name, signal);
      if (bytes === undefined) continue;
      const object = JSON.parse(bytes.toString()) as KubernetesObject;
      if (object.metadata.labels?.["kubernetes.io/bootstrapping"] === undefined) yield { bytes, object };
    }
  }

  #bindsOurs(binding: KubernetesObject): boolean {
    const ours = subjectsOf(binding).some(({ kind, name, namespace = "" }) =>
      kind === "ServiceAccount"
        ? this.#namespaces.has(namespace)
        : name.startsWith("system:serviceaccounts:") &&
          this.#namespaces.has(name.slice("system:serviceaccounts:".length)),
    );
    if (ours) this.#need("clusterroles.rbac.authorization.k8s.io", (binding["roleRef"] as RoleRef | undefined)?.name);
    return ours;
  }

  #callsOurs(configuration: KubernetesObject): boolean {
    return callsServiceOf(configuration, this.#namespaces);
  }

  #servedByOurs(apiService: KubernetesObject): boolean {
    return this.#namespaces.has((apiService["spec"] as ServiceClient | undefined)?.service?.namespace ?? "");
  }
}

export const webhookConfigurations = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"].map(
  (resource) => ({ apiVersion: "admissionregistration.k8s.io/v1", resource }),
);

/** Whether a webhook configuration calls a service in one of these namespaces. */
export function callsServiceOf(configuration: KubernetesObject, namespaces: ReadonlySet<string>): boolean {
  const webhooks = (configuration["webhooks"] ?? []) as { clientConfig?: ServiceClient }[];
  return webhooks.some(({ clientConfig }) => namespaces.has(clientConfig?.service?.namespace ?? ""));
}

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

async function* noting(
  objects: AsyncIterable<SavableObject>,
  note: (object: KubernetesObject) => void,
): AsyncGenerator<SavableObject> {
  for await (const savable of objects) {
    note(savable.object);
    yield savable;
  }
}
