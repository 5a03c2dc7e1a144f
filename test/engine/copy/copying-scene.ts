import { Scene, type SceneOptions } from "../simulated-control-plane.ts";
import type { SimulatedRestic } from "./simulated-restic.ts";

export const fillNamespace = "drs";
export const copies = {
  repository: "s3:https://objects.example/bucket",
  secret: "repository",
  image: "restic",
  concurrency: 2,
  resources: {},
  nodeSelector: {},
  tolerations: [],
  readsLive: false,
};

const claims = [
  ["cdp", "data-cdp-embedded-db-0"],
  ["cdp", "cdp-artifacts"],
  ["vault-system", "data-vault-0"],
] as const;

/** The sample control plane, and a service that copies its volumes. */
export async function copyingScene(restic: SimulatedRestic, options: SceneOptions = {}): Promise<Scene> {
  const scene = await Scene.open({ copies, fillNamespace, ...options });
  scene.simulator.runPrograms(restic.program);
  await scene.create("/api/v1/namespaces", { kind: "Namespace", apiVersion: "v1", metadata: { name: fillNamespace } });
  return scene;
}

/** The CRN of a backup's copy, from its log. */
export function copyOf({ engine }: Scene, backupCrn: string): string {
  return /copied to the repository by (\S+)/.exec(engine.getLogs(backupCrn))?.[1] ?? "";
}

export function ends(scene: Scene, crn: string): Promise<void> {
  return scene.until(() => scene.engine.getLogs(crn).includes("job ended"));
}

/** Lets movers that run see what they are to do now. */
export async function goOn(scene: Scene): Promise<void> {
  const pods = `/api/v1/namespaces/${fillNamespace}/pods`;
  for (const name of await scene.names(pods))
    await scene.change(`${pods}/${name}`, { metadata: { labels: { looked: "at" } } }).catch(() => {}); // gone by now
}

/** What movers work with, in their namespace and beside it. */
export async function leftovers(scene: Scene, namespace = fillNamespace): Promise<readonly string[]> {
  await scene.simulator.settled();
  const paths = [
    `/api/v1/namespaces/${namespace}/pods`,
    `/api/v1/namespaces/${namespace}/secrets`,
    `/api/v1/namespaces/${namespace}/persistentvolumeclaims`,
    `/apis/batch/v1/namespaces/${namespace}/jobs`,
    `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`,
    `/apis/snapshot.storage.k8s.io/v1/namespaces/${namespace}/volumesnapshots`,
    "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents",
  ];
  const found = await Promise.all(
    paths.map(async (path) => (await scene.names(path)).map((name) => `${path}/${name}`)),
  );
  return found.flat();
}

type FilesByPath = Record<string, Record<string, string>>;

/** The files of each claim, by its path in the repository. */
export function filesOf({ simulator: { volumes } }: Scene): FilesByPath {
  return Object.fromEntries(
    claims.map(([namespace, claim]) => [
      `/volumes/${namespace}/${claim}`,
      Object.fromEntries(
        volumes.list(namespace, claim).map((path) => [path, volumes.read(namespace, claim, path).toString("hex")]),
      ),
    ]),
  );
}

export function copiedFiles({ snapshots }: SimulatedRestic): FilesByPath {
  return Object.fromEntries(
    snapshots.map(({ path, files }) => [
      path,
      Object.fromEntries([...files].map(([file, bytes]) => [file, bytes.toString("hex")])),
    ]),
  );
}
