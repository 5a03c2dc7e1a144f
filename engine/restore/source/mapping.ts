import {
  type KubernetesObject,
  type ObjectMeta,
  type ResourceType,
  resourceName,
} from "../../kubernetes/kubernetes-object.ts";
import type { Subject } from "../../kinds/rbac/subjects.ts";
import { withoutAllocations } from "../../kinds/core/service.ts";

/** What a saved namespace is called where its objects go; one that goes nowhere else keeps its name. */
export type MapName = (savedNamespace: string) => string;

type Rule = (object: KubernetesObject, map: MapName) => KubernetesObject;

/** The API server labels each namespace with its name. */
const nameLabel = "kubernetes.io/metadata.name";
/** By these annotations names in the DNS lead to a service. */
const externalDns = "external-dns.alpha.kubernetes.io/";

/** By kind: what an object says of namespaces beside its own, and has as long as nobody else does. */
const rules: Readonly<Record<string, Rule>> = {
  namespaces: (object) => ({ ...object, metadata: without("labels", object.metadata, (name) => name === nameLabel) }),
  "rolebindings.rbac.authorization.k8s.io": (object, map) => ({
    ...object,
    ...(object["subjects"] !== undefined && {
      subjects: (object["subjects"] as Subject[]).map((subject) => mappedSubject(subject, map)),
    }),
  }),
  services: (service) => withoutOutside(withoutAllocations(service)),
  "networkpolicies.networking.k8s.io": (object, map) => mapSelectors(object, map) as KubernetesObject,
  endpoints: (object, map) => mapTargets(object, map) as KubernetesObject,
  "endpointslices.discovery.k8s.io": (object, map) => mapTargets(object, map) as KubernetesObject,
};

/**
 * A saved object as one of the namespace that it goes to, beside the one it was saved in: without its finalizers, as what they
 * stand for belongs to that one, and without what only one of the two can have. The given one is not changed.
 */
export function mapped(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
  map: MapName,
): KubernetesObject {
  const { finalizers: _finalizers, ...metadata } = object.metadata;
  const rule = rules[resourceName(type)];
  return rule ? rule({ ...object, metadata }, map) : { ...object, metadata };
}

/** By whichever of the names that RBAC knows accounts: see `isAccountOf`. */
function mappedSubject(subject: Subject, map: MapName): Subject {
  switch (subject.kind) {
    case "ServiceAccount":
      return { ...subject, ...(subject.namespace !== undefined && { namespace: map(subject.namespace) }) };
    case "User":
      return { ...subject, name: mappedWithin(/^(system:serviceaccount:)([^:]+)(:.*)$/, subject.name, map) };
    case "Group":
      return { ...subject, name: mappedWithin(/^(system:serviceaccounts:)([^:]+)()$/, subject.name, map) };
    default:
      return subject;
  }
}

function mappedWithin(pattern: RegExp, text: string, map: MapName): string {
  return text.replace(
    pattern,
    (_, before: string, namespace: string, after: string) => before + map(namespace) + after,
  );
}

/** A service that is reached from within the cluster only: its addresses outside are those of the one it is a copy of. */
function withoutOutside(service: KubernetesObject): KubernetesObject {
  const { externalIPs: _ips, loadBalancerIP: _ip, ...spec } = service["spec"] as Record<string, unknown>;
  const ports = (spec["ports"] as { nodePort?: number }[] | undefined)?.map(({ nodePort: _port, ...port }) => port);
  if (ports) spec["ports"] = ports;
  const metadata = without("annotations", service.metadata, (name) => name.startsWith(externalDns));
  if (spec["type"] !== "LoadBalancer") return { ...service, metadata, spec };
  const {
    externalTrafficPolicy: _policy,
    loadBalancerClass: _class,
    loadBalancerSourceRanges: _ranges,
    allocateLoadBalancerNodePorts: _ports,
    ...inside
  } = spec;
  return { ...service, metadata, spec: { ...inside, type: "ClusterIP" } };
}

/** Selectors of namespaces by their names. */
function mapSelectors(value: unknown, map: MapName): unknown {
  if (Array.isArray(value)) return value.map((one) => mapSelectors(one, map));
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const { key, values } = value as { key?: unknown; values?: unknown };
  if (key === nameLabel && Array.isArray(values)) return { ...value, values: (values as string[]).map(map) };
  return Object.fromEntries(
    Object.entries(value).map(([field, member]) => [
      field,
      field === nameLabel && typeof member === "string" ? map(member) : mapSelectors(member, map),
    ]),
  );
}

/** The objects that addresses stand for. */
function mapTargets(value: unknown, map: MapName): unknown {
  if (Array.isArray(value)) return value.map((one) => mapTargets(one, map));
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, member]) => {
      if (field !== "targetRef") return [field, mapTargets(member, map)];
      const { namespace } = member as { namespace?: string };
      return [field, namespace === undefined ? member : { ...(member as object), namespace: map(namespace) }];
    }),
  );
}

/** Metadata without some of the labels or annotations. */
function without(
  field: "labels" | "annotations",
  { [field]: marks = {}, ...metadata }: ObjectMeta,
  isOut: (name: string) => boolean,
): ObjectMeta {
  const left = Object.entries(marks).filter(([name]) => !isOut(name));
  return left.length === 0 ? metadata : { ...metadata, [field]: Object.fromEntries(left) };
}
