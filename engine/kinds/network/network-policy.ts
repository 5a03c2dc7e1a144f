import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { nameLabel } from "../core/namespace.ts";
import type { KindRules } from "../kind-rules.ts";
import type { MapName } from "../restoring-rules.ts";

export const networkPolicy: KindRules = {
  name: "networkpolicies.networking.k8s.io",
  wave: "services",
  copy: (object, map) => mapSelectors(object, map) as KubernetesObject,
};

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
