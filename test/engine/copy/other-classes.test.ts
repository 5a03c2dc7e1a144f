import { expect, test } from "vitest";
import { driver } from "../../../simulator/bootstrap.ts";
import { texts } from "../simulated-control-plane.ts";
import { copyingScene, copyOf, ends, filesOf, leftovers } from "./copying-scene.ts";
import { SimulatedRestic } from "./simulated-restic.ts";

const classes = "/apis/storage.k8s.io/v1/storageclasses";
const map = { standard: "premium" };

/** A control plane whose volumes are copied, and whose class and snapshots are gone: there is another class. */
async function elsewhere() {
  const scene = await copyingScene(new SimulatedRestic());
  const files = filesOf(scene);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "overwritten");
  scene.simulator.volumes.loseSnapshots();
  await scene.remove(`${classes}/standard`);
  return { scene, files, backup };
}

const premium = {
  metadata: { name: "premium", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
  provisioner: driver,
  volumeBindingMode: "Immediate",
};

test("claims are in the class that the saved one is mapped to, which alone is there", async () => {
  const { scene, files, backup } = await elsewhere();
  await scene.create(classes, premium);
  await scene.restart({ flags: { storageClassMap: map } });
  const restore = await scene.restore(backup.crn);
  expect([restore.state, texts(restore.errors), texts(restore.warnings)]).toEqual(["COMPLETED", [], []]);
  expect(filesOf(scene)).toEqual(files);
  expect(await scene.names(classes)).toEqual(["premium"]);
  const claim = await scene.get("/api/v1/namespaces/cdp/persistentvolumeclaims/cdp-artifacts");
  expect(claim["spec"]).toMatchObject({ storageClassName: "premium" });
  expect(await leftovers(scene)).toEqual([]);
});

test("a saved class that is mapped to one that is not there fails the restore before anything is touched", async () => {
  const { scene, backup } = await elsewhere();
  await scene.restart({ flags: { storageClassMap: map } });
  const before = await scene.picture();
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors).join()).toMatch(
    /claim \S+ would be in storage class premium, .*none of this name: create it/,
  );
  expect(await scene.picture()).toEqual(before);
});

test("without a map a class that is missing is named, with the setting that helps", async () => {
  const { scene, backup } = await elsewhere();
  await scene.create(classes, premium);
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors).join()).toContain(
    "there is no storage class standard: create one of this name, of any driver, or name another one with --storage-class-map",
  );
});

test("a class that waits for a pod gets its volume on any node, where none is like that of the former volume", async () => {
  const scene = await copyingScene(new SimulatedRestic());
  const required = { nodeSelectorTerms: [{ matchExpressions: [{ key: "zone", operator: "In", values: ["lost"] }] }] };
  const volumes = "/api/v1/persistentvolumes";
  for (const name of await scene.names(volumes))
    await scene.change(`${volumes}/${name}`, { spec: { nodeAffinity: { required } } });
  const files = filesOf(scene);
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  scene.simulator.volumes.loseSnapshots();
  await scene.remove(`${classes}/standard`);
  await scene.create(classes, { ...premium, volumeBindingMode: "WaitForFirstConsumer" });
  await scene.restart({ flags: { storageClassMap: map } });
  const restore = await scene.restore(backup.crn);
  expect([restore.state, texts(restore.errors), texts(restore.warnings)]).toEqual(["COMPLETED", [], []]);
  expect(filesOf(scene)).toEqual(files);
});
