import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { referencesOf } from "../../objects/references.ts";
import { podTemplateOf } from "../../kinds/core/pod-template.ts";
import { objectsOf, partsOf } from "../source/restore-source.ts";
import { savedNames } from "../source/saved-names.ts";
import type { Trial } from "./trial.ts";

const deviceClasses = "deviceclasses.resource.k8s.io";
const claimKinds = ["resourceclaims.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io"];

/** The device class that a pod needs and nobody has, if there is one. */
export type MissingDeviceClass = (workload: KubernetesObject) => string | undefined;

/**
 * Finds the classes of devices that saved claims name and that are neither in the cluster nor in the archive: no admission looks
 * for them, and a pod that needs one is never scheduled.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
 */
export async function missingDeviceClasses(trial: Trial): Promise<MissingDeviceClass> {
  const { source, discovery, signal } = trial;
  const wanted = new Map<string, string[]>();
  for await (const { type, object } of objectsOf(source, partsOf(source, claimKinds), signal)) {
    const names = referencesOf(type, object).flatMap(({ resource, name }) =>
      resource === deviceClasses ? [name] : [],
    );
    if (names.length > 0) wanted.set(keyOf(type.resource, object.metadata), names);
  }
  const missing = new Set([...wanted.values()].flat());
  if (missing.size === 0) return () => undefined;
  const [apiVersion = ""] = discovery.versionsOf(deviceClasses);
  const type = discovery.inVersion(deviceClasses, apiVersion);
  const saved = await savedNames(source, { apiVersion: "resource.k8s.io/v1", resource: "deviceclasses" }, signal);
  for (const name of missing)
    if (saved.get("")?.has(name) || (type && (await trial.deps.cluster.get(type, "", name, signal))))
      missing.delete(name);
  return (workload) => {
    const { namespace = "" } = workload.metadata;
    const claims = (podTemplateOf(workload)?.spec?.["resourceClaims"] ?? []) as Record<string, string | undefined>[];
    return claims
      .flatMap(({ resourceClaimName, resourceClaimTemplateName }) => [
        ...(wanted.get(keyOf("resourceclaims", { namespace, name: resourceClaimName })) ?? []),
        ...(wanted.get(keyOf("resourceclaimtemplates", { namespace, name: resourceClaimTemplateName })) ?? []),
      ])
      .find((name) => missing.has(name));
  };
}

function keyOf(
  resource: string,
  { namespace = "", name = "" }: { namespace?: string; name?: string | undefined },
): string {
  return `${resource} ${namespace}/${name}`;
}
