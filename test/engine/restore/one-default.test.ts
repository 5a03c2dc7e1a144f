import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

test.each([
  {
    kind: "StorageClass",
    classes: "/apis/storage.k8s.io/v1/storageclasses",
    mark: "storageclass.kubernetes.io/is-default-class",
    body: { provisioner: "other.example" },
    saved: "standard",
  },
  {
    kind: "IngressClass",
    classes: "/apis/networking.k8s.io/v1/ingressclasses",
    mark: "ingressclass.kubernetes.io/is-default-class",
    body: { spec: { controller: "example.com/ingress" } },
    saved: "saved",
  },
])("a $kind that was the default comes back beside the one that is by now, which stays so", async (one) => {
  const { kind, classes, mark, body, saved } = one;
  const scene = await Scene.open();
  const annotations: Record<string, string> = { [mark]: "true", note: "kept" };
  if (saved === "saved") {
    await scene.create(classes, { metadata: { name: saved, annotations }, ...body });
    const spec = { ingressClassName: saved, defaultBackend: { service: { name: "x", port: { number: 80 } } } };
    await scene.create("/apis/networking.k8s.io/v1/namespaces/cdp/ingresses", { metadata: { name: "front" }, spec });
  }
  const { crn } = await scene.backup();
  await scene.remove(`${classes}/${saved}`);
  await scene.create(classes, { metadata: { name: "newer", annotations }, ...body });
  const { errors, warnings } = await scene.restore(crn);
  expect(texts(errors)).toEqual([]);
  expect(texts(warnings)).toEqual([`${kind} ${saved} is not the default any more: newer is, and stays so`]);
  const isDefault = async (name: string) => {
    const { annotations: found = {} } = (await scene.get(`${classes}/${name}`)).metadata;
    return (found as Record<string, string>)[mark];
  };
  expect([await isDefault(saved), await isDefault("newer")]).toEqual([undefined, "true"]);
});

test("a StorageClass that was the default is it again where no other one is", async () => {
  const scene = await Scene.open();
  const { crn } = await scene.backup();
  const path = "/apis/storage.k8s.io/v1/storageclasses/standard";
  await scene.remove(path);
  const { errors, warnings } = await scene.restore(crn);
  expect([texts(errors), texts(warnings)]).toEqual([[], []]);
  expect((await scene.get(path)).metadata.annotations).toEqual({
    "storageclass.kubernetes.io/is-default-class": "true",
  });
});
