import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
const bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

test("cluster-scoped objects that a failed restore has made are gone again, but for what others use", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 1 }, controllerDelay: 50 });
  const backup = await scene.backup();
  await scene.remove(`${classes}/cdp-critical`);
  await scene.remove(`${bindings}/cdp-controller`);
  const [classesBefore, bindingsBefore] = [await scene.names(classes), await scene.names(bindings)];
  const others = { spec: { priorityClassName: "cdp-critical", containers: [{ name: "main", image: "main" }] } };
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("restored PriorityClass cdp-critical"));
  await scene.create("/api/v1/namespaces/default/pods", { metadata: { name: "of-others" }, ...others });
  const { state, warnings } = await scene.restored(crn);
  expect(state).toBe("FAILED");
  expect(await scene.names(bindings)).toEqual(bindingsBefore);
  expect(await scene.names(classes)).toEqual([...classesBefore, "cdp-critical"].sort());
  expect(texts(warnings)).toContain(
    "rolling back: PriorityClass cdp-critical was created by the restore and stays: others outside these namespaces may use it",
  );
});

test("cluster-scoped objects that a failed restore has put back are again as they were, also those that nothing used", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 1 }, controllerDelay: 50 });
  const definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.example.com";
  const gadgets = "/apis/example.com/v1/namespaces/cdp/gadgets";
  await scene.create(definition.slice(0, definition.lastIndexOf("/")), {
    metadata: { name: "gadgets.example.com", labels: { release: "1" } },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { kind: "Gadget", plural: "gadgets" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
    },
  });
  await scene.simulator.settled();
  await scene.create(gadgets, { apiVersion: "example.com/v1", kind: "Gadget", metadata: { name: "gadget" } });
  const backup = await scene.backup();
  await scene.remove(`${gadgets}/gadget`);
  await scene.change(definition, { metadata: { labels: { release: "2" } } });
  await scene.change(`${bindings}/cdp-controller`, { subjects: [] });
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => /restored ClusterRoleBinding cdp-controller/.test(scene.engine.getLogs(crn)));
  expect((await scene.get(definition)).metadata.labels).toEqual({ release: "1" });
  const { state, warnings } = await scene.restored(crn);
  expect(state).toBe("FAILED");
  expect(texts(warnings).filter((text) => text.includes("left as it is"))).toEqual([]);
  expect((await scene.get(definition)).metadata.labels).toEqual({ release: "2" });
  expect(await scene.names(gadgets)).toEqual([]);
  expect((await scene.get(`${bindings}/cdp-controller`))["subjects"] ?? []).toEqual([]);
});

test("a namespace that a failed restore has made stays, empty, with a warning", async () => {
  const scene = await Scene.open({ limits: { appsStartTimeout: 1 }, controllerDelay: 50 });
  const backup = await scene.backup();
  await scene.remove("/api/v1/namespaces/vault-system");
  await scene.until(async () => !(await scene.names("/api/v1/namespaces")).includes("vault-system"));
  const { state, warnings, errors } = await scene.restore(backup.crn);
  expect(state).toBe("FAILED");
  expect(texts(errors).at(-1)).toContain(
    "the restore failed and was rolled back: the control plane is as before, except for the objects its warnings name",
  );
  expect(texts(warnings)).toContain(
    "rolling back: Namespace vault-system was created by the restore and stays: nothing that the restore created is left in it",
  );
  expect(await scene.names("/api/v1/namespaces/vault-system/secrets")).toEqual([]);
  expect(await scene.names("/api/v1/namespaces/vault-system/persistentvolumeclaims")).toEqual([]);
});
