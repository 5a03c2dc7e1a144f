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
    "PriorityClass cdp-critical was made by the restore and stays: others than these namespaces may use it",
  );
});
