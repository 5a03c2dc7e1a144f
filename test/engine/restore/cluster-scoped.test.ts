import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";
import { forge, globally } from "./forgery.ts";

const classes = "/apis/networking.k8s.io/v1/ingressclasses";

test("a cluster-scoped object of a version that is no longer served comes back in one that is", async () => {
  const scene = await Scene.open({ isEncrypted: false });
  await scene.create("/apis/networking.k8s.io/v1/namespaces/cdp/ingresses", {
    metadata: { name: "front" },
    spec: { ingressClassName: "ours", defaultBackend: { service: { name: "x", port: { number: 80 } } } },
  });
  const { crn } = await scene.backup();
  const archives = await scene.openArchives();
  await forge(archives, archives, `backups/${crn.slice(-36)}`, {
    type: globally("networking.k8s.io/v1beta1", "IngressClass", "ingressclasses"),
    object: { metadata: { name: "ours" }, spec: { controller: "example.com/ours" } },
  });
  await scene.restart({ forgetful: true });
  const { errors, warnings } = await scene.restore(crn);
  expect(texts(errors)).toEqual([]);
  expect(texts(warnings)).toContain(
    "ingressclasses.networking.k8s.io are restored as networking.k8s.io/v1: networking.k8s.io/v1beta1 is no longer served",
  );
  expect(await scene.get(`${classes}/ours`)).toMatchObject({
    apiVersion: "networking.k8s.io/v1",
    spec: { controller: "example.com/ours" },
  });
});
