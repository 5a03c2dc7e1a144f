import type { KubernetesObject } from "../support/kubernetes-client.ts";
import type { Dice } from "./dice.ts";
import { object } from "./objects.ts";

/** Something that people do to a control plane. */
export type Change =
  | { readonly what: "patch"; readonly target: KubernetesObject; readonly patch: object }
  | { readonly what: "delete" | "recreate"; readonly target: KubernetesObject }
  | { readonly what: "add"; readonly target: KubernetesObject }
  /** Of a claim that is the nth, when all those with a volume are counted round and round. It stays while a pod uses it. */
  | { readonly what: "delete claim"; readonly nth: number }
  | { readonly what: "files"; readonly nth: number; readonly how: "more" | "changed" | "gone"; readonly text: string };

/** A change that suits the objects there are. */
export function aChange(dice: Dice, objects: readonly KubernetesObject[], namespace: string, name: string): Change {
  if (dice.percent(20)) {
    const how = dice.pick(["more", "changed", "gone"] as const);
    return { what: "files", nth: dice.between(0, 9), how, text: `${how} ${dice.between(0, 1_000)}` };
  }
  if (dice.percent(15)) return { what: "add", target: aNewcomer(dice, namespace, name) };
  if (dice.percent(8)) return { what: "delete claim", nth: dice.between(0, 9) };
  const workloads = objects.filter(({ kind }) => /^(Deployment|StatefulSet|DaemonSet)$/.test(kind));
  // Users' own snapshots are left as they are.
  const others = objects.filter(({ kind }) => kind !== "VolumeSnapshot");
  const target = dice.pick(workloads.length > 0 && dice.percent(40) ? workloads : others);
  if (dice.percent(25) && isDeletable(target)) return { what: "delete", target };
  if (dice.percent(15) && isRemakeable(target)) return { what: "recreate", target: remade(target) };
  return { what: "patch", target, patch: patchFor(dice, target) };
}

function aNewcomer(dice: Dice, namespace: string, name: string): KubernetesObject {
  const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "new:v1" }] } };
  return dice.pick([
    object("v1", "ConfigMap", name, namespace, { data: { new: "1" } }),
    object("v1", "Secret", name, namespace, { data: { new: "MQ==" } }),
    object("v1", "ResourceQuota", name, namespace, { spec: { hard: { pods: "20", "count/deployments.apps": "20" } } }),
    object("v1", "LimitRange", name, namespace, {
      spec: { limits: [{ type: "Container", default: { cpu: "100m" } }] },
    }),
    object("apps/v1", "Deployment", name, namespace, {
      spec: { replicas: 1, selector: { matchLabels: { app: name } }, template },
    }),
    object("v1", "PersistentVolumeClaim", name, namespace, {
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } },
    }),
  ]);
}

/** A claim's volume made by hand goes only with it, and its definition would take all resources along: that is a wreck. */
function isDeletable({ kind }: KubernetesObject): boolean {
  return !["PersistentVolume", "CustomResourceDefinition"].includes(kind);
}

/** Kinds with a field that only a new object may have another value in. */
function isRemakeable({ kind }: KubernetesObject): boolean {
  return ["ConfigMap", "Secret", "Deployment", "RoleBinding", "DaemonSet"].includes(kind);
}

function remade(target: KubernetesObject): KubernetesObject {
  const copy = structuredClone(target);
  const { kind, spec } = copy;
  if (kind === "ConfigMap") copy["data"] = { remade: "1" };
  if (kind === "Secret" && copy["type"] === "Opaque") copy["data"] = { remade: "MQ==" };
  if (kind === "ConfigMap" || (kind === "Secret" && copy["type"] === "Opaque")) copy["immutable"] = true;
  if (kind === "RoleBinding") copy["roleRef"].name = "nobody";
  if (kind === "Deployment" || kind === "DaemonSet") {
    const labels = { ...spec.selector.matchLabels, remade: "1" };
    spec.selector.matchLabels = labels;
    spec.template.metadata.labels = labels;
  }
  return copy;
}

function patchFor(dice: Dice, { kind, immutable, spec }: KubernetesObject): object {
  const labels = { metadata: { labels: { changed: String(dice.between(1, 9)) } } };
  if (dice.percent(20)) return labels;
  switch (kind) {
    case "ConfigMap":
      return immutable === true ? labels : { data: { release: "changed", more: "1" } };
    case "Secret":
      return immutable === true ? labels : { data: { more: "MQ==" } };
    case "Deployment":
    case "StatefulSet":
    case "DaemonSet": {
      const stuck = release("app:v2");
      Object.assign(stuck.spec.template.spec, { nodeSelector: { there: "is-none" } });
      return dice.pick([
        release("app:v2"),
        stuck,
        ...(kind === "DaemonSet" ? [] : [{ spec: { replicas: dice.between(0, 3) } }]),
      ]);
    }
    case "Service":
      return { spec: { ports: [{ name: "http", port: 81, protocol: "TCP", targetPort: 8080 }] } };
    case "Role":
    case "ClusterRole":
      return { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] };
    case "CronJob":
      return { spec: { suspend: spec.suspend !== true } };
    case "HorizontalPodAutoscaler":
      return { spec: { maxReplicas: 9 } };
    case "Widget":
      return { spec: { size: 99 } };
    case "ResourceQuota":
      return { spec: { hard: { pods: dice.pick(["40", "2"]) } } };
    default:
      return labels;
  }
}

function release(image: string) {
  return { spec: { template: { spec: { containers: [{ name: "main", image }] } } } };
}
