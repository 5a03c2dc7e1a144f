import type { KubernetesObject } from "../support/kubernetes-client.ts";
import type { Dice } from "./dice.ts";

/** What makers of objects need to know of their world. */
export interface Place {
  readonly dice: Dice;
  /** The world's name, which is in that of each cluster-scoped object. */
  readonly world: string;
  readonly namespace: string;
  /** What was made before, to be referred to. */
  readonly made: readonly KubernetesObject[];
  /** A name that nothing else has. */
  readonly name: string;
}

export type Maker = (place: Place) => readonly KubernetesObject[];

export function object(
  apiVersion: string,
  kind: string,
  name: string,
  namespace: string | undefined,
  rest: object = {},
): KubernetesObject {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) }, ...rest };
}

/** The name of something of a kind in this namespace, if there is any. */
export function anyOf({ made, namespace, dice }: Place, kind: string): string | undefined {
  const names = made.filter((it) => it.kind === kind && it.metadata.namespace === namespace);
  return names.length === 0 ? undefined : dice.pick(names).metadata.name;
}

const configMap: Maker = ({ name, namespace, dice }) => {
  const made = object("v1", "ConfigMap", name, namespace, {
    data: { release: String(dice.between(1, 9)), [`key-${dice.between(1, 3)}`]: "x".repeat(dice.between(0, 200)) },
    ...(dice.percent(25) && { immutable: true }),
  });
  if (dice.percent(10)) made.metadata.finalizers = ["example.com/hold"];
  return [made];
};

const secret: Maker = ({ name, namespace, dice }) => [
  object("v1", "Secret", name, namespace, {
    type: "Opaque",
    data: { password: Buffer.from(String(dice.between(0, 1_000_000))).toString("base64") },
    ...(dice.percent(25) && { immutable: true }),
  }),
];

/** One with rules of its own, or one that takes them from another by a label. */
function aClusterRole({ name, world, dice }: Place, rules: readonly object[]): readonly KubernetesObject[] {
  const rbac = "rbac.authorization.k8s.io/v1";
  const role = object(rbac, "ClusterRole", `${world}-${name}`, undefined, { rules });
  if (dice.percent(50)) return [role];
  const part = object(rbac, "ClusterRole", `${world}-${name}-part`, undefined, { rules });
  part.metadata.labels = { [`${world}.example.com/${name}`]: "true" };
  role["aggregationRule"] = { clusterRoleSelectors: [{ matchLabels: part.metadata.labels }] };
  return [part, role];
}

const account: Maker = (place) => {
  const { name, namespace, dice, world } = place;
  const rules = [{ apiGroups: [""], resources: ["configmaps", "pods"], verbs: ["get", "list"] }];
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const rbac = "rbac.authorization.k8s.io";
  const token = object("v1", "Secret", `${name}-token`, namespace, { type: "kubernetes.io/service-account-token" });
  token.metadata.annotations = { "kubernetes.io/service-account.name": name };
  return [
    object("v1", "ServiceAccount", name, namespace),
    ...(dice.percent(30) ? [token] : []),
    ...(dice.percent(60)
      ? [
          object(`${rbac}/v1`, "Role", name, namespace, { rules }),
          object(`${rbac}/v1`, "RoleBinding", name, namespace, {
            roleRef: { apiGroup: rbac, kind: "Role", name },
            subjects,
          }),
        ]
      : []),
    ...(dice.percent(30)
      ? [
          ...aClusterRole(place, rules),
          object(`${rbac}/v1`, "ClusterRoleBinding", `${world}-${name}`, undefined, {
            roleRef: { apiGroup: rbac, kind: "ClusterRole", name: `${world}-${name}` },
            subjects,
          }),
        ]
      : []),
  ];
};

const service: Maker = (place) => {
  const { name, namespace, dice } = place;
  const ports = [{ name: "http", port: 80, protocol: "TCP", targetPort: 8080 }];
  const selector = { app: anyOf(place, "Deployment") ?? "nobody" };
  switch (dice.pick(["ClusterIP", "headless", "NodePort", "selectorless"] as const)) {
    case "ClusterIP":
      return [object("v1", "Service", name, namespace, { spec: { ports, selector } })];
    case "headless":
      return [object("v1", "Service", name, namespace, { spec: { clusterIP: "None", ports, selector } })];
    case "NodePort":
      return [object("v1", "Service", name, namespace, { spec: { type: "NodePort", ports, selector } })];
    case "selectorless": {
      const slice = object("discovery.k8s.io/v1", "EndpointSlice", `${name}-byhand`, namespace, {
        addressType: "IPv4",
        ports: [{ name: "http", port: 8080, protocol: "TCP" }],
        endpoints: [{ addresses: [`192.0.2.${dice.between(1, 254)}`] }],
      });
      slice.metadata.labels = { "kubernetes.io/service-name": name };
      return [object("v1", "Service", name, namespace, { spec: { ports } }), slice];
    }
  }
};

const disruptionBudget: Maker = (place) => [
  object("policy/v1", "PodDisruptionBudget", place.name, place.namespace, {
    spec: { minAvailable: 1, selector: { matchLabels: { app: anyOf(place, "Deployment") ?? "nobody" } } },
  }),
];

const autoscaler: Maker = (place) => {
  const name = anyOf(place, "Deployment");
  if (name === undefined) return [];
  const metrics = [
    { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
  ];
  const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name };
  return [
    object("autoscaling/v2", "HorizontalPodAutoscaler", place.name, place.namespace, {
      spec: { minReplicas: 1, maxReplicas: place.dice.between(2, 5), metrics, scaleTargetRef },
    }),
  ];
};

const ingress: Maker = ({ name, namespace, dice }) => {
  const backend = { service: { name, port: { number: dice.between(1, 9) * 1_000 } } };
  return [object("networking.k8s.io/v1", "Ingress", name, namespace, { spec: { defaultBackend: backend } })];
};

const networkPolicy: Maker = ({ name, namespace }) => [
  object("networking.k8s.io/v1", "NetworkPolicy", name, namespace, {
    spec: { podSelector: {}, policyTypes: ["Egress"] },
  }),
];

const quota: Maker = ({ name, namespace, dice }) => [
  object("v1", "ResourceQuota", name, namespace, {
    spec: { hard: { pods: String(dice.between(15, 30)), "count/configmaps": "60" } },
  }),
];

const limitRange: Maker = ({ name, namespace, dice }) => [
  object("v1", "LimitRange", name, namespace, {
    spec: { limits: [{ type: "Container", default: { cpu: `${dice.between(1, 9)}00m` }, max: { cpu: "4" } }] },
  }),
];

/** A definition of the world's own, resources of it, one with a finalizer nobody takes away, and what one of them owns. */
const customResources: Maker = ({ name, namespace, dice, world, made }) => {
  const group = `${world}.example.com`;
  const widget = (suffix: string) =>
    object(`${group}/v1`, "Widget", `${name}-${suffix}`, namespace, { spec: { size: dice.between(1, 9) } });
  const schema = {
    type: "object",
    properties: { spec: { type: "object", properties: { size: { type: "integer" } } } },
  };
  const definition = object("apiextensions.k8s.io/v1", "CustomResourceDefinition", `widgets.${group}`, undefined, {
    spec: {
      group,
      scope: "Namespaced",
      names: { plural: "widgets", kind: "Widget", singular: "widget", listKind: "WidgetList" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  });
  const held = widget("held");
  if (dice.percent(50)) held.metadata.finalizers = ["example.com/hold"];
  const owned = object("v1", "ConfigMap", `${name}-owned`, namespace, { data: { by: "a widget" } });
  owned.metadata.ownerReferences = [
    { apiVersion: `${group}/v1`, kind: "Widget", name: held.metadata.name, controller: dice.percent(50) },
  ];
  const isDefined = made.some(({ kind }) => kind === "CustomResourceDefinition");
  return [...(isDefined ? [] : [definition]), held, widget("free"), ...(dice.percent(50) ? [owned] : [])];
};

export const makers: readonly Maker[] = [
  configMap,
  configMap,
  secret,
  secret,
  account,
  service,
  service,
  disruptionBudget,
  autoscaler,
  ingress,
  networkPolicy,
  quota,
  limitRange,
  customResources,
];

/** In the same configuration; nothing calls it here. */
const webhookOfOthers = {
  name: "others.example.com",
  clientConfig: { url: "https://others.example.com/" },
  rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
  failurePolicy: "Ignore",
  sideEffects: "None",
  timeoutSeconds: 1,
  admissionReviewVersions: ["v1"],
  namespaceSelector: { matchLabels: { "example.com/of": "others" } },
};

/** A webhook that is served from the namespace, by nobody. It would keep the world itself from being made, so it comes last. */
export const silentWebhook: Maker = ({ world, namespace, dice }) => [
  object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", `${world}-own`, undefined, {
    webhooks: [
      {
        name: "own.example.com",
        clientConfig: { service: { namespace, name: "nobody" } },
        rules: [
          {
            apiGroups: ["*"],
            apiVersions: ["*"],
            operations: dice.pick([["CREATE"], ["CREATE", "UPDATE"], ["DELETE"], ["*"]]),
            resources: [dice.pick(["configmaps", "secrets", "deployments", "services"])],
          },
        ],
        failurePolicy: "Fail",
        sideEffects: "None",
        timeoutSeconds: 1,
        admissionReviewVersions: ["v1"],
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      },
      ...(dice.percent(50) ? [webhookOfOthers] : []),
    ],
  }),
];
