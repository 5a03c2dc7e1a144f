import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const gadgets = "/apis/example.com/v1/namespaces/cdp/gadgets";
const status = { shards: 3 };

/** A control plane with a custom resource whose status is no subresource, but data like any other. */
async function withGadget(): Promise<Scene> {
  const scene = await Scene.open({ limits: { podsStopTimeout: 1_500 } });
  await scene.create(definitions, {
    metadata: { name: "gadgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { kind: "Gadget", plural: "gadgets" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
    },
  });
  await scene.simulator.settled();
  await scene.create(gadgets, { apiVersion: "example.com/v1", kind: "Gadget", metadata: { name: "gadget" }, status });
  return scene;
}

test("a status that is no subresource comes back like all else of its object", async () => {
  const scene = await withGadget();
  const backup = await scene.backup();
  await scene.change(`${gadgets}/gadget`, { status: { shards: 4 } });
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(await scene.get(`${gadgets}/gadget`)).toHaveProperty("status", status);
});

test("a restore that rolls back before it has deleted anything leaves a status that is no subresource", async () => {
  const scene = await withGadget();
  const pods = "/api/v1/namespaces/cdp/pods";
  await scene.create(pods, {
    metadata: { name: "stuck", finalizers: ["example.com/never"] },
    spec: { containers: [{ name: "main" }] },
  });
  const backup = await scene.backup();
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("rolling back"));
  await scene.change(`${pods}/stuck`, { metadata: { finalizers: null } });
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringContaining("pods of cdp have not stopped within 1.5 s: stuck"),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  expect(await scene.get(`${gadgets}/gadget`)).toHaveProperty("status", status);
});
