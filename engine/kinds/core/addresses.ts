import type { MapName } from "../restoring-rules.ts";

/** A value with the objects that addresses stand for in their mapped namespaces. */
export function mapTargets(value: unknown, map: MapName): unknown {
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
