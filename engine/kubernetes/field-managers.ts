import type { KubernetesObject } from "./kubernetes-object.ts";

/**
 * The managers of a field, such as `["spec", "replicas"]`, or one below it; empty when the object does not say.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
 */
export function managersOf({ metadata }: KubernetesObject, path: readonly string[]): readonly string[] {
  const entries = (metadata["managedFields"] ?? []) as { manager?: string; fieldsV1?: unknown }[];
  const owns = (fields: unknown) =>
    path.reduce((at, name) => (at as Record<string, unknown> | undefined)?.[`f:${name}`], fields) !== undefined;
  return [...new Set(entries.filter(({ fieldsV1 }) => owns(fieldsV1)).map(({ manager = "" }) => manager))];
}
