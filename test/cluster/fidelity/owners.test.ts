import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aControlPlane, clusterPath, type SmallControlPlane } from "./support.ts";

/** Dependents sort before and after their owners, by name and by kind. */
const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: middle }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: a-leaf }
---
apiVersion: v1
kind: Secret
metadata: { name: of-two }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: of-cluster-role }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: of-deployment }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: root }
spec:
  replicas: 0
  selector: { matchLabels: { app: root } }
  template: { metadata: { labels: { app: root } }, spec: { containers: [{ name: main, image: main }] } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: yearly }
spec:
  schedule: "0 0 1 1 *"
  jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: main }] } } } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: owners-of-objects }
`;

/** Each dependent with its owners. */
const links: Readonly<Record<string, readonly string[]>> = {
  "v1/configmaps middle": ["apps/v1/deployments root"],
  "v1/configmaps a-leaf": ["v1/configmaps middle"],
  "v1/secrets of-two": ["v1/configmaps a-leaf", "apps/v1/deployments root"],
  "v1/serviceaccounts of-cluster-role": ["rbac.authorization.k8s.io/v1/clusterroles owners-of-objects"],
  "v1/persistentvolumeclaims of-deployment": ["apps/v1/deployments root"],
  "batch/v1/jobs by-hand": ["batch/v1/cronjobs yearly"],
};
let plane: SmallControlPlane;

beforeAll(async () => {
  plane = await aControlPlane("fidelity-owners", manifests);
  await plane.kubectl("create", "job", "by-hand", "--from=cronjob/yearly");
  await plane.until("batch/v1/jobs", "by-hand", ({ status }) => status?.succeeded === 1);
  await plane.until("v1/persistentvolumeclaims", "of-deployment", ({ status }) => status?.phase === "Bound");
  for (const [dependent, owners] of Object.entries(links)) await own(dependent, owners);
  await plane.backUp();
});

afterAll(async () => plane?.remove());

test("owner references name the restored owners, inside the namespace and beyond it", async () => {
  await plane.kubectl("delete", "--cascade=orphan", "deployment/root", "configmap/middle", "cronjob/yearly");
  const { warnings, errors } = await plane.restore();
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });

  for (const [dependent, owners] of Object.entries(links)) {
    const wanted = await Promise.all(owners.map(async (owner) => (await find(owner))?.metadata["uid"]));
    const { metadata } = (await find(dependent))!;
    expect([dependent, metadata.ownerReferences?.map(({ uid }) => uid)]).toEqual([dependent, wanted]);
  }
});

test("the garbage collector takes nothing that was restored, and what its owner takes along", async () => {
  await garbageCollectorHasPassed();
  const missing: string[] = [];
  for (const name of [...Object.keys(links), ...Object.values(links).flat()])
    if ((await find(name)) === undefined) missing.push(name);
  expect(missing).toEqual([]);

  await plane.kubectl("delete", "configmap/middle");
  await eventually("the leaf goes with its owner", async () => (await find("v1/configmaps a-leaf")) === undefined);
  expect(await find("v1/secrets of-two")).toBeDefined(); // one of its two owners is there
});

async function own(dependent: string, owners: readonly string[]): Promise<void> {
  const references = owners.map(async (name) => {
    const { apiVersion, kind, metadata } = (await find(name))!;
    return { apiVersion, kind, name: metadata.name, uid: metadata["uid"] };
  });
  const [kind, name] = dependent.split(" ") as [string, string];
  await plane.patch(kind, name, { metadata: { ownerReferences: await Promise.all(references) } });
}

async function find(kindAndName: string): Promise<KubernetesObject | undefined> {
  const [kind, name] = kindAndName.split(" ") as [string, string];
  if (kind.endsWith("/clusterroles")) return plane.cluster.kubernetes.find(clusterPath(kind, name));
  return plane.find(kind, name);
}

/** An object whose owner never existed is garbage; once it is gone the collector has seen all that is older. */
async function garbageCollectorHasPassed(): Promise<void> {
  const owner = { apiVersion: "v1", kind: "ConfigMap", name: "nobody", uid: "00000000-0000-0000-0000-000000000000" };
  const garbage = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "garbage", ownerReferences: [owner] } };
  await plane.cluster.kubernetes.create(plane.path("v1/configmaps"), garbage);
  await eventually("garbage is collected", async () => (await find("v1/configmaps garbage")) === undefined);
}
