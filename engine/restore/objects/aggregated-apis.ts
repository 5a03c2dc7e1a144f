import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { sanitize } from "../../kinds/sanitize.ts";

const apiServices: ResourceType = {
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  resource: "apiservices",
  namespaced: false,
};

interface ApiServiceSpec {
  readonly group: string;
  readonly version: string;
  readonly service?: { readonly namespace: string; readonly name: string };
}

const takenNotes = "api-services/";

/**
 * Takes away those APIServices of the namespaces of which a message about discovery complains: as long as they are there and
 * their servers, which went with their namespaces, are not, no namespace's deletion ends. Each is noted before.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/controller/namespace/deletion/namespaced_resources_deleter.go
 */
export async function takeApisAway(
  { cluster }: Pick<JobDeps, "cluster">,
  { notes, signal, info }: JobContext,
  namespaces: readonly string[],
  complaint: string,
): Promise<void> {
  for await (const apiService of cluster.list(apiServices, "", signal)) {
    const { service } = apiService["spec"] as ApiServiceSpec;
    if (!service || !namespaces.includes(service.namespace) || !isNamed(apiService, complaint)) continue;
    const { name, uid = "" } = apiService.metadata;
    notes.set(takenNotes + name, apiService);
    await cluster.delete(apiServices, "", name, signal, { uid });
    info(
      `took APIService ${name} away until the applications are up: nobody answers for it in ${service.namespace}, which holds namespaces that are being deleted`,
    );
  }
}

/** Whether a message about discovery names an API that does not answer now. */
export async function isAnyApiDead(
  { cluster }: Pick<JobDeps, "cluster">,
  { signal }: Pick<JobContext, "signal">,
  complaint: string,
): Promise<boolean> {
  for await (const apiService of cluster.list(apiServices, "", signal)) {
    const { conditions = [] } = (apiService["status"] ?? {}) as { conditions?: { type: string; status: string }[] };
    const isDead = conditions.some(({ type, status }) => type === "Available" && status === "False");
    if (isDead && isNamed(apiService, complaint)) return true;
  }
  return false;
}

function isNamed(apiService: KubernetesObject, complaint: string): boolean {
  const { group, version } = apiService["spec"] as ApiServiceSpec;
  return complaint.includes(`${group}/${version}`);
}

/** Puts back the APIServices that were taken away and are not there. May run again. */
export async function putApisBack(
  { cluster }: Pick<JobDeps, "cluster">,
  { notes, signal, info }: JobContext,
): Promise<void> {
  for (const [, taken] of notes.entries<KubernetesObject>(takenNotes)) {
    const { name } = taken.metadata;
    if (await cluster.get(apiServices, "", name, signal)) continue;
    await cluster.createOnce(apiServices, "", sanitize(apiServices, taken), signal);
    info(`put APIService ${name} back`);
  }
}
