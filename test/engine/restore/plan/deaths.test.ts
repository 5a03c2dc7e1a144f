import { expect, test } from "vitest";
import type { RestorePlan } from "../../../../engine/model.ts";
import type { Request } from "../../../../simulator/http/api-server.ts";
import { noAnswer, Scene, texts } from "../../simulated-control-plane.ts";
import { touched, versions } from "./versions.ts";

const caller = { name: "", requestId: "" };
const place = "drs";
const vault = "/api/v1/namespaces/vault-system";
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const fillers = `/api/v1/namespaces/${place}/persistentvolumeclaims`;
const file = ["vault-system", "data-vault-0", "core/_master"] as const;

/** What is only asked, or is the Lease, changes nothing that a restore would have to find again. */
const isWrite = ({ method, path, query, body }: Request) =>
  method !== "GET" && !query.has("dryRun") && !body.includes('"dryRun"') && !/reviews$|\/leases/.test(path);

/**
 * A job whose service dies when its n-th write is done, of which it has not heard, and is started again; undefined when the job
 * has no such write, and is over.
 */
async function brokenOff(scene: Scene, start: () => Promise<string>, n: number): Promise<string | undefined> {
  let writes = 0;
  let isDead = false;
  scene.simulator.intercept((request) => {
    if (isDead) return noAnswer;
    isDead = isWrite(request) && ++writes === n;
    return isDead ? "done and broken off" : undefined;
  });
  const crn = await start();
  await scene.until(() => isDead || scene.engine.describeRestore(crn).phase === "FINISHED");
  if (isDead) await scene.restart({ meanwhile: () => scene.simulator.intercept(undefined) });
  scene.simulator.intercept(undefined);
  return isDead ? crn : undefined;
}

/** Runs a job with a death at each of its writes, until there are no more; returns how many deaths there were. */
async function throughAllDeaths(
  scene: Scene,
  start: () => Promise<string>,
  { before, after }: { before?: () => Promise<void>; after: (crn: string, n: number) => Promise<void> },
): Promise<number> {
  for (let n = 1; ; n++) {
    await before?.();
    const crn = await brokenOff(scene, start, n);
    if (crn === undefined) return n - 1;
    await after(crn, n);
  }
}

async function outcomeOf(scene: Scene, crn: string): Promise<object> {
  const { state, errors, warnings } = await scene.restored(crn);
  return { state, messages: texts([...errors, ...warnings]) };
}
const unbroken = { state: "COMPLETED", messages: [] };

/** A control plane beside which the service fills volumes, and somebody else has a claim and what runs. */
async function sceneWithBystander(): Promise<Scene> {
  const scene = await Scene.open({ fillNamespace: place });
  await scene.create("/api/v1/namespaces", { metadata: { name: place } });
  await scene.create("/api/v1/namespaces", { metadata: { name: "bystander" } });
  for (const namespace of [place, "bystander"])
    await scene.create(`/api/v1/namespaces/${namespace}/persistentvolumeclaims`, {
      metadata: { name: "theirs" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    });
  await scene.create("/apis/apps/v1/namespaces/bystander/deployments", {
    metadata: { name: "runs", labels: { app: "runs" } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "runs" } },
      template: { metadata: { labels: { app: "runs" } }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  });
  await scene.simulator.settled();
  for (const namespace of [place, "bystander"]) scene.simulator.volumes.write(namespace, "theirs", "file", "theirs");
  return scene;
}

/** What a restore may leave nothing of, and what is others'. */
async function besides(scene: Scene): Promise<object> {
  return {
    fillers: await scene.names(fillers),
    contents: await scene.names(contents),
    theirs: [place, "bystander"].map((it) => scene.simulator.volumes.read(it, "theirs", "file").toString()),
  };
}
const nothingElse = { fillers: ["theirs"], contents: [], theirs: ["theirs", "theirs"] };

const one = (kind: string, name: string) => ({ kind, namespace: "vault-system", name });
const objects = [
  one("StatefulSet", "vault"),
  one("PersistentVolumeClaim", "data-vault-0"),
  one("ConfigMap", "vault-config"),
];

test.each([
  [
    "replace",
    20,
    /^(Pod|StatefulSet|ControllerRevision|EndpointSlice|ConfigMap|PersistentVolumeClaim) vault-system\/|^PersistentVolume /,
  ],
  ["add", 2, /^(Pod|StatefulSet|ControllerRevision|EndpointSlice|ConfigMap) vault-system\//],
] as const)(
  "a restore of single objects (%s) is done after a death at any of its writes, and nothing else is touched",
  async (mode, fewest, its) => {
    const scene = await sceneWithBystander();
    const backup = await scene.backup("vault-system");
    const saved = scene.simulator.volumes.read(...file);
    const handles = scene.simulator.volumes.volumeHandles().length;
    const plan: Partial<RestorePlan> = { mode, selection: { what: "objects", objects } };
    let before: ReadonlyMap<string, string>;
    const deaths = await throughAllDeaths(scene, () => scene.startRestore(backup.crn, plan), {
      async before() {
        scene.simulator.volumes.write(...file, "lost");
        await scene.remove(`${vault}/configmaps/vault-config`);
        if (mode === "add") await scene.remove("/apis/apps/v1/namespaces/vault-system/statefulsets/vault");
        before = await versions(scene);
      },
      async after(crn, n) {
        expect({ n, ...(await outcomeOf(scene, crn)) }).toEqual({ n, ...unbroken });
        const others = (await touched(scene, before)).filter((name) => !its.test(name));
        expect({ n, others, ...(await besides(scene)) }).toEqual({ n, others: [], ...nothingElse });
        expect(await scene.names(`${vault}/configmaps`)).toContain("vault-config");
        expect(await scene.names(`${vault}/pods`)).toContain("vault-0");
        expect(scene.simulator.volumes.read(...file).equals(saved)).toBe(mode === "replace");
        expect({ n, handles: scene.simulator.volumes.volumeHandles().length }).toEqual({ n, handles });
      },
    });
    expect(deaths).toBeGreaterThan(fewest);
  },
  180_000,
);

const scratch = {
  mode: "scratch",
  mapping: { "vault-system": "drill" },
  selection: { what: "namespaces", namespaces: ["vault-system"] },
} as const satisfies Partial<RestorePlan>;

test("a scratch restore is done after a death at any of its writes, is removed, and nothing else is touched", async () => {
  const scene = await sceneWithBystander();
  const backup = await scene.backup("vault-system");
  const before = await versions(scene);
  const handles = scene.simulator.volumes.volumeHandles().length;
  const deaths = await throughAllDeaths(scene, () => scene.startRestore(backup.crn, scratch), {
    async after(crn, n) {
      expect({ n, ...(await outcomeOf(scene, crn)) }).toEqual({ n, ...unbroken });
      const others = (await touched(scene, before)).filter(
        (name) => !/ drill\/|^Namespace \/drill|^Persist/.test(name),
      );
      expect({ n, others, ...(await besides(scene)) }).toEqual({ n, others: [], ...nothingElse });
      const removal = await scene.engine.removeScratch({ restoreCrn: crn, caller });
      expect({ n, ...(await outcomeOf(scene, removal)) }).toEqual({ n, ...unbroken });
      expect({ n, left: await touched(scene, before) }).toEqual({ n, left: [] });
      expect({ n, handles: scene.simulator.volumes.volumeHandles().length }).toEqual({ n, handles });
    },
  });
  expect(deaths).toBeGreaterThan(10);
}, 300_000);

test("a scratch restore is removed after a death at any write of its removal, and nothing else is touched", async () => {
  const scene = await sceneWithBystander();
  const backup = await scene.backup("vault-system");
  const before = await versions(scene);
  const handles = scene.simulator.volumes.volumeHandles().length;
  let restoreCrn = "";
  const deaths = await throughAllDeaths(scene, () => scene.engine.removeScratch({ restoreCrn, caller }), {
    async before() {
      restoreCrn = (await scene.restore(backup.crn, scratch)).crn;
      const claim = await scene.get("/api/v1/namespaces/drill/persistentvolumeclaims/data-vault-0");
      const { volumeName } = claim["spec"] as { volumeName: string };
      // It does not go by itself.
      const retain = { spec: { persistentVolumeReclaimPolicy: "Retain" } };
      await scene.change(`/api/v1/persistentvolumes/${volumeName}`, retain);
    },
    async after(crn, n) {
      expect({ n, ...(await outcomeOf(scene, crn)) }).toEqual({ n, ...unbroken });
      expect({ n, left: await touched(scene, before) }).toEqual({ n, left: [] });
      expect({ n, handles: scene.simulator.volumes.volumeHandles().length }).toEqual({ n, handles });
    },
  });
  expect(deaths).toBeGreaterThan(1);
}, 300_000);
