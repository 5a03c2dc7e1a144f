import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { compareObjects } from "../support/compare.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { type ClusterPicture, takePicture } from "../support/picture.ts";
import { claimFolder, compareVolumes, takeVolumePicture } from "../support/volumes.ts";
import { aControlPlane, type SmallControlPlane } from "../fidelity/support.ts";

const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { release: "1" }
---
apiVersion: v1
kind: Secret
metadata: { name: password }
stringData: { password: secret }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: uploads }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: database }
spec:
  serviceName: database
  replicas: 1
  selector: { matchLabels: { app: database } }
  template:
    metadata: { labels: { app: database } }
    spec: { containers: [{ name: main, image: main, volumeMounts: [{ name: data, mountPath: /data }] }] }
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: portal }
spec:
  replicas: 2
  selector: { matchLabels: { app: portal } }
  template: { metadata: { labels: { app: portal } }, spec: { containers: [{ name: main, image: main }] } }
`;
/** Longer than the cluster's programs take to find their way back to an API server that died several times. */
export const patienceMs = 480_000;
const claims = ["uploads", "data-database-0"];

/** All that a restore replaces. */
export interface Picture {
  readonly objects: ClusterPicture;
  readonly files: ReadonlyMap<string, string>;
}

/** A small control plane with data that runs, and a service for it that does not wait long; on the shared cluster, or on another. */
export async function aRunningControlPlane(
  namespace: string,
  flags: readonly string[] = [],
  cluster?: TestCluster,
): Promise<SmallControlPlane> {
  const impatient = ["--snapshot-timeout=6s", "--pods-stop-timeout=10s", "--apps-start-timeout=20s"];
  const options = { flags: [...impatient, ...flags], ...(cluster && { cluster }) };
  const plane = await aControlPlane(namespace, manifests, options);
  await settled(plane);
  await release(plane, 1);
  return plane;
}

/** Another release of the control plane: an object, a replica count and the data differ. */
export async function release(plane: SmallControlPlane, version: number): Promise<void> {
  await plane.patch("v1/configmaps", "settings", { data: { release: String(version) } });
  await plane.patch("apps/v1/deployments", "portal", { spec: { replicas: version + 1 } });
  for (const claim of claims)
    await writeFile(join(await claimFolder(plane.cluster, plane.namespace, claim), "data"), `release ${version}`);
  await settled(plane);
}

export async function settled(plane: SmallControlPlane): Promise<void> {
  await plane.until("apps/v1/statefulsets", "database", ({ status }) => status?.readyReplicas === 1);
  await plane.until("apps/v1/deployments", "portal", isAvailable);
  for (const claim of claims)
    await plane.until("v1/persistentvolumeclaims", claim, ({ status }) => status?.phase === "Bound");
}

function isAvailable({ metadata, spec, status }: KubernetesObject): boolean {
  return status?.observedGeneration === metadata["generation"] && status.availableReplicas === spec.replicas;
}

export async function takePictureOf({ cluster, namespace }: SmallControlPlane): Promise<Picture> {
  const [objects, files] = await Promise.all([
    takePicture(cluster, [namespace]),
    takeVolumePicture(cluster, [namespace]),
  ]);
  return { objects: new Map([...objects].filter(([name]) => name.includes(`${namespace}/`))), files };
}

/** What differs from the picture; the cluster's controllers may need a moment, and longer after the API server has died. */
export async function differencesSince(
  before: Picture,
  plane: SmallControlPlane,
  timeout = 10_000,
): Promise<readonly string[]> {
  let lines: readonly string[] = [];
  const look = async () => {
    const after = await takePictureOf(plane);
    lines = [...compareObjects(before.objects, after.objects), ...compareVolumes(before.files, after.files)];
    return lines.length === 0;
  };
  await eventually("all is as before", look, { timeout }).catch(() => {});
  return lines;
}

/** The names of the objects that were written to since the picture. */
export async function touchedSince(before: Picture, plane: SmallControlPlane): Promise<readonly string[]> {
  const after = await takePictureOf(plane);
  const names = new Set([...before.objects.keys(), ...after.objects.keys()]);
  return [...names].filter((name) => versionOf(before.objects.get(name)) !== versionOf(after.objects.get(name)));
}

function versionOf(object?: KubernetesObject): unknown {
  return object?.metadata["resourceVersion"];
}

/** Waits until a restore has come to a phase. */
export async function reaches(plane: SmallControlPlane, restoreCrn: string, phase: string): Promise<void> {
  await logged(plane, restoreCrn, `${phase} phase started`);
}

/** Waits until a job's log says something, or fails when the job is over without a word of it. */
export async function logged(plane: SmallControlPlane, crn: string, text: string): Promise<void> {
  const said = async () => {
    const log = await plane.log({ crn });
    if (log.includes(text)) return true;
    if (log.includes("FINISHED job ended")) throw new Error(`the log does not say ${text}:\n${log}`);
    return false;
  };
  const look = () => plane.log({ crn });
  await eventually(`the log says ${text}`, said, { timeout: patienceMs, interval: 10, look });
}
