import type { DiscoveredResource, Discovery } from "../../kubernetes/discovery.ts";
import { resourceName } from "../../kubernetes/kubernetes-object.ts";
import { savedResources } from "../../objects/object-selection.ts";
import type { RestoreSource } from "../source/restore-source.ts";

/**
 * The kinds of which DELETING_OBJECTS deletes the objects that the source does not have. Not those of an API that did not answer
 * when the source was made, as it does not say which objects there were; nor when the safety archive was made, which has no
 * copy of them: `unavailable` names the APIs that did not answer then.
 */
export function clearedKinds(
  { reader, targetNamespaces }: RestoreSource,
  discovery: Discovery,
  unavailable: readonly string[],
): readonly DiscoveredResource[] {
  const unknown = new Set([...(reader.manifest.unavailable ?? []), ...unavailable]);
  const known = new Set(reader.parts.map(resourceName));
  return savedResources(discovery, targetNamespaces).filter((kind) => {
    const name = resourceName(kind);
    return known.has(name) || !discovery.versionsOf(name).some((apiVersion) => unknown.has(apiVersion));
  });
}
