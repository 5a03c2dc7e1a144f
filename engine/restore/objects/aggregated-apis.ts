import type { JobParts } from "../../jobs/parts.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { sanitize } from "../../kinds/sanitize.ts";

const apiServices: ResourceType = {
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  resource: "apiservices",
  namespaced: false,
};
const takenNotes = "api-services/";

/**
 * Takes away those APIServices of the namespaces of which a message about discovery complains: as long as they are there and
 * their servers, which went with their namespaces, are not, no namespace's deletion ends. Each is noted before. Gives how many.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/controller/namespace/deletion/namespaced_resources_deleter.go
 */
export async function takeApisAway(
  { cluster }: Pick<JobParts, "cluster">,
  { notes, signal, info }: JobContext,
  namespaces: readonly string[],
  complaint: string,
): Promise<number> {
  let count = 0;
  for await (const apiService of cluster.list(apiServices, "", signal)) {
    const { group, version, service } = apiService["spec"] as {
      group: string;
      version: string;
      service?: { namespace: string; name: string };
    };
    if (!service || !namespaces.includes(service.namespace) || !complaint.includes(`${group}/${version}`)) continue;
    const { name, uid = "" } = apiService.metadata;
    notes.set(takenNotes + name, apiService);
    await cluster.delete(apiServices, "", name, signal, { uid });
    count++;
    info(
      `took APIService ${name} away until the applications are up: nobody answers for it in ${service.namespace}, which holds namespaces that are being deleted`,
    );
  }
  return count;
}

/** Puts back the APIServices that were taken away and are not there. May run again. */
export async function putApisBack(
  { cluster }: Pick<JobParts, "cluster">,
  { notes, signal, info }: JobContext,
): Promise<void> {
  for (const [, taken] of notes.entries<KubernetesObject>(takenNotes)) {
    const { name } = taken.metadata;
    if (await cluster.get(apiServices, "", name, signal)) continue;
    await cluster.createOnce(apiServices, "", sanitize(apiServices, taken), signal);
    info(`put APIService ${name} back`);
  }
}
