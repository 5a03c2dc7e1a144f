import type { ResourceType } from "../kubernetes/kubernetes-object.ts";

/** An object's name in messages: `Secret cdp/tls`, `ClusterRole viewer`. */
export function nameOf(namespace: string, { kind }: Pick<ResourceType, "kind">, name: string): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
