import { createHash } from "node:crypto";
import type { Cluster } from "../kubernetes/cluster.ts";
import { canonicalJson, parseExact } from "../kubernetes/exact-json.ts";
import { hasStatus, isUnconverted } from "../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { unreadable } from "../objects/namespace-saver.ts";
import { sanitize } from "./sanitize.ts";
import type { ServedType } from "./served-types.ts";

/** The digests of what a namespace holds of one kind, by name. */
export type LiveObjects = ReadonlyMap<string, string>;

/**
 * What a namespace holds of a kind now: one list, of which no more than the names and digests is kept. FAILED_PRECONDITION
 * when what converts the objects does not answer.
 */
export async function liveObjects(
  cluster: Cluster,
  type: ServedType,
  namespace: string,
  signal: AbortSignal,
): Promise<LiveObjects> {
  const digests = new Map<string, string>();
  try {
    for await (const page of cluster.listRaw(type, namespace, signal))
      for (const bytes of page) {
        const object = parseExact(bytes.toString()) as KubernetesObject;
        digests.set(object.metadata.name, digestOf(type, object));
      }
  } catch (error) {
    if (isUnconverted(error)) throw unreadable(type, namespace, error);
    if (!hasStatus(error, 404, 405)) throw error; // a kind that has gone since discovery
  }
  return digests;
}

/** The same for an object as it was saved and as it is now when a restore has nothing to change in it. */
export function digestOf(type: ServedType, object: KubernetesObject): string {
  const { apiVersion: _, kind: __, ...rest } = sanitize(type, object);
  return createHash("sha256").update(canonicalJson(rest)).digest("base64");
}
