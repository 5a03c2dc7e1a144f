import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aChange, type Change } from "./changes.ts";
import { type Dice, diceFrom } from "./dice.ts";
import { type Maker, makers, object, silentWebhook } from "./objects.ts";
import { aPolicy, type Policy } from "./policies.ts";
import { claim, priorityClass, workloadMakers } from "./workloads.ts";

/** All that happens in a random world, out of its seed. */
export interface World {
  readonly seed: number;
  /** Also the name of its main namespace, and part of that of everything cluster-scoped. */
  readonly name: string;
  readonly namespaces: readonly string[];
  /** In the order in which they are made. */
  readonly objects: readonly KubernetesObject[];
  /** A namespace of others, with what they have. */
  readonly others: readonly KubernetesObject[];
  readonly changes: { readonly beforeBackup: readonly Change[]; readonly beforeRestore: readonly Change[] };
  readonly policies: readonly Policy[];
  readonly wreck: "nothing" | "namespaces" | "objects" | "definitions";
  /** How many of the objects are lost where the wreck is of objects. */
  readonly lost: number;
  /** Of the service, while it restores. */
  readonly deaths: "none" | { readonly atWrites: readonly number[] } | { readonly killedAfterMs: number };
  readonly restores: 1 | 2;
  /** Whether its volumes are filled in `fillNamespace` while its applications still run. */
  readonly fillsFirst: boolean;
}

/** The namespace that the services of all worlds have for filling volumes. */
export const fillNamespace = "worlds-fill";

export function worldFrom(seed: number): World {
  const dice = diceFrom(seed);
  const name = `w${seed.toString(36)}`;
  const namespaces = dice.percent(30) ? [name, `${name}-vault`] : [name];
  const objects = someObjects(dice, name, namespaces);
  const deaths = someDeaths(dice);
  const wreck = dice.pick(wrecks);
  const policies = Array.from({ length: dice.pick([0, 0, 1, 1, 1, 2, 2, 3]) }, () => aPolicy(dice))
    .map((policy) => (wreck === "namespaces" || wreck === "definitions" ? lettingGo(policy) : policy))
    // The service as its users run it tries for hours to go back, as the house may change its mind.
    .map((policy) => (deaths !== "none" && "killedAfterMs" in deaths ? passing(policy) : policy));
  const changes = (count: number, when: string) =>
    Array.from({ length: count }, (_, index) => aChange(dice, objects, dice.pick(namespaces), `${when}-${index}`));
  return {
    seed,
    fillsFirst: seed % 2 === 1,
    name,
    namespaces,
    objects,
    others: dice.percent(50) ? othersIn(`${name}-others`) : [],
    changes: {
      beforeBackup: changes(dice.percent(30) ? dice.between(1, 2) : 0, "early"),
      beforeRestore: changes(dice.between(0, 6), "late"),
    },
    policies,
    wreck,
    lost: dice.between(1, 8),
    deaths,
    restores: dice.percent(25) ? 2 : 1,
  };
}

const wrecks = [
  ...(["nothing", "nothing", "nothing", "nothing"] as const),
  ...(["namespaces", "namespaces", "objects", "objects", "definitions"] as const),
];

/** What may not be deleted at all cannot be wrecked so. */
function lettingGo(policy: Policy): Policy {
  return policy.operations.includes("DELETE") ? { ...policy, operations: ["CREATE"] } : policy;
}

function passing(policy: Policy): Policy {
  return { ...policy, changes: { to: "gone", afterMs: policy.changes?.afterMs ?? 2_000 } };
}

function someDeaths(dice: Dice): World["deaths"] {
  if (dice.percent(10)) return { killedAfterMs: dice.between(100, 6_000) };
  if (dice.percent(20)) return { atWrites: Array.from({ length: dice.between(1, 2) }, () => dice.between(1, 60)) };
  return "none";
}

function someObjects(dice: Dice, world: string, namespaces: readonly string[]): readonly KubernetesObject[] {
  const made: KubernetesObject[] = [];
  const make = (maker: Maker) => {
    const place = { dice, world, made, namespace: dice.pick(namespaces), name: `${dice.pick(words)}-${made.length}` };
    made.push(...maker(place));
  };
  if (dice.percent(20)) make(priorityClass);
  for (const maker of dice.some(makers, dice.between(2, 7))) make(maker);
  for (let count = dice.between(0, 2); count > 0; count--) make(claim);
  for (const maker of dice.some(workloadMakers, dice.between(1, 4))) make(maker);
  for (const maker of dice.some(makers, dice.between(0, 2))) make(maker);
  // A rule of the house is met by many alike.
  const maker = dice.pick([...makers, ...workloadMakers]);
  for (let count = dice.percent(20) ? dice.between(6, 8) : 0; count > 0; count--) make(maker);
  if (dice.percent(8)) make(silentWebhook);
  return made;
}

const words = ["web", "api", "db", "queue", "cache", "vault", "sync", "mail", "front", "batch"];

/** What nothing a restore does may change. */
function othersIn(namespace: string): readonly KubernetesObject[] {
  const labels = { app: "others" };
  const pod = {
    metadata: { labels },
    spec: { priorityClassName: namespace, containers: [{ name: "main", image: "o:v1" }] },
  };
  const rbac = "rbac.authorization.k8s.io";
  return [
    object("v1", "Namespace", namespace, undefined),
    object("scheduling.k8s.io/v1", "PriorityClass", namespace, undefined, { value: 7 }),
    object("v1", "ConfigMap", "settings", namespace, { data: { of: "others" } }),
    object("v1", "ServiceAccount", "others", namespace),
    object(`${rbac}/v1`, "ClusterRole", namespace, undefined, {
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
    }),
    object(`${rbac}/v1`, "ClusterRoleBinding", namespace, undefined, {
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: namespace },
      subjects: [{ kind: "ServiceAccount", name: "others", namespace }],
    }),
    object("apps/v1", "Deployment", "others", namespace, {
      spec: { replicas: 1, selector: { matchLabels: labels }, template: pod },
    }),
  ];
}
