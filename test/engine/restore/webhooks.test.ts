import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const root = "/apis/admissionregistration.k8s.io/v1";
const mutating = `${root}/mutatingwebhookconfigurations`;

interface Hook {
  readonly name: string;
  readonly clientConfig: object;
  readonly [field: string]: unknown;
}
const hook = (name: string, namespace: string, more: object = {}): Hook => ({
  name,
  clientConfig: { service: { namespace, name: "cdp-environments" } },
  sideEffects: "None",
  admissionReviewVersions: ["v1"],
  ...more,
});
const ours = (name: string, more?: object) => hook(name, "cdp", more);
const withCertificate = (caBundle: string) =>
  ours("a.x", { clientConfig: { service: { namespace: "cdp", name: "cdp-environments" }, caBundle } });
const others = (name: string, more?: object) => hook(name, "elsewhere", more);
const configuration = (...webhooks: readonly Hook[]) => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  metadata: { name: "shared", labels: { of: "many" } },
  webhooks,
});
const path = `${mutating}/shared`;

async function webhooksOf(scene: Scene) {
  return ((await scene.get(path))["webhooks"] ?? []) as Hook[];
}

/** Restores, and does something as soon as webhooks were taken out. */
async function restoreWhile(scene: Scene, backupCrn: string, change: () => Promise<unknown>) {
  const crn = await scene.startRestore(backupCrn);
  await scene.until(() => scene.engine.getLogs(crn).includes("out of mutatingwebhookconfigurations shared"));
  await change();
  return scene.restored(crn);
}

/** All that was reported, but for what it says of the sample's own objects. */
function reported({ warnings, errors }: Awaited<ReturnType<Scene["restore"]>>): readonly string[] {
  return texts([...warnings, ...errors]).filter((text) => !text.includes("finalizers were removed"));
}

test("of a configuration that serves others, too, only the control plane's webhooks are away, and all come back in order", async () => {
  const scene = await Scene.open();
  const webhooks = [others("a.x"), ours("b.x"), others("c.x"), ours("d.x")];
  const { metadata } = await scene.create(mutating, configuration(...webhooks));
  const { crn } = await scene.backup();
  const meanwhile: string[][] = [];
  const restore = await restoreWhile(scene, crn, async () => {
    meanwhile.push((await webhooksOf(scene)).map(({ name }) => name));
  });
  expect(reported(restore)).toEqual([]);
  expect(meanwhile).toEqual([["a.x", "c.x"]]);
  expect(await webhooksOf(scene)).toEqual(webhooks);
  expect((await scene.get(path)).metadata.uid).toBe(metadata.uid);
});

test.each([
  { way: "to its end", maxRefusedObjects: 5 },
  { way: "back", maxRefusedObjects: 0 },
])("a configuration that is newer than the backup outlasts a restore that goes $way", async ({ maxRefusedObjects }) => {
  const scene = await Scene.open({ maxRefusedObjects });
  const { crn } = await scene.backup();
  const webhooks = [ours("a.x"), others("b.x")];
  const { metadata } = await scene.create(mutating, configuration(...webhooks));
  const forbidden = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } };
  let restoreCrn = "";
  if (maxRefusedObjects === 0)
    scene.simulator.intercept(({ method, path: at }) => {
      const log = restoreCrn === "" ? "" : scene.engine.getLogs(restoreCrn);
      const isStarted =
        method === "PATCH" && at.endsWith("/deployments/cdp-api") && log.includes("STARTING_APPS phase");
      return isStarted && !log.includes("rolling back") ? forbidden : undefined;
    });
  restoreCrn = await scene.startRestore(crn);
  expect(reported(await scene.restored(restoreCrn)).at(-1)).toBe(
    maxRefusedObjects === 0 ? "the restore failed and was rolled back: the control plane is as before" : undefined,
  );
  expect(await webhooksOf(scene)).toEqual(webhooks);
  expect((await scene.get(path)).metadata).toMatchObject({ uid: metadata.uid, labels: { of: "many" } });
});

test.each<{ what: string; saved: Hook[]; live: Hook[]; later?: Hook[]; right: Hook[]; told?: string }>([
  {
    what: "its webhooks as they were saved",
    saved: [ours("a.x", { failurePolicy: "Fail" })],
    live: [ours("a.x", { failurePolicy: "Ignore" })],
    right: [ours("a.x", { failurePolicy: "Fail" })],
  },
  {
    what: "newer webhooks of the control plane",
    saved: [ours("a.x"), ours("c.x")],
    live: [ours("a.x"), ours("b.x"), ours("c.x")],
    right: [ours("a.x"), ours("b.x"), ours("c.x")],
  },
  {
    what: "others' webhooks as they are now",
    saved: [others("a.x", { failurePolicy: "Fail" }), ours("b.x"), others("gone.x")],
    live: [others("a.x", { failurePolicy: "Ignore" }), ours("b.x"), others("new.x")],
    right: [others("a.x", { failurePolicy: "Ignore" }), ours("b.x"), others("new.x")],
  },
  {
    what: "what others change while it runs",
    saved: [others("a.x"), ours("b.x")],
    live: [others("a.x"), ours("b.x")],
    later: [others("new.x"), others("a.x")],
    right: [others("new.x"), others("a.x"), ours("b.x")],
  },
  {
    what: "a webhook that calls others by now",
    saved: [ours("a.x"), ours("b.x")],
    live: [others("a.x"), ours("b.x")],
    right: [others("a.x"), ours("b.x")],
    told: "MutatingWebhookConfiguration shared: webhook a.x was not restored: a webhook of its name calls elsewhere now",
  },
  {
    what: "webhooks by URL into the namespaces, and no others by URL",
    saved: [hook("a.x", "", { clientConfig: { url: "https://hook.cdp.svc:443/a" } })],
    live: [hook("b.x", "", { clientConfig: { url: "https://cdp.example.com/b" } })],
    right: [
      hook("a.x", "", { clientConfig: { url: "https://hook.cdp.svc:443/a" } }),
      hook("b.x", "", { clientConfig: { url: "https://cdp.example.com/b" } }),
    ],
  },
])("a restore leaves $what", async ({ saved, live, later, right, told }) => {
  const scene = await Scene.open();
  await scene.create(mutating, configuration(...saved));
  const { crn } = await scene.backup();
  await scene.change(path, { webhooks: live });
  const restore = later
    ? await restoreWhile(scene, crn, () => scene.change(path, { webhooks: later }))
    : await scene.restore(crn);
  expect(reported(restore)).toEqual(told === undefined ? [] : [told]);
  expect(await webhooksOf(scene)).toEqual(right);
});

test("labels of a configuration that serves others, too, are left as they are, and that is reported", async () => {
  const scene = await Scene.open();
  await scene.create(mutating, configuration(ours("a.x"), others("b.x")));
  const { crn } = await scene.backup();
  await scene.change(path, { metadata: { labels: { of: "them" } } });
  expect(reported(await scene.restore(crn))).toEqual([
    expect.stringMatching(/^MutatingWebhookConfiguration shared does not have the saved labels and annotations/),
  ]);
  expect((await scene.get(path)).metadata).toMatchObject({ labels: { of: "them" } });
});

test("a webhook that its operator makes when it starts keeps the certificate that the operator gives it", async () => {
  const scene = await Scene.open();
  await scene.create(mutating, configuration(withCertificate("old")));
  const { crn: backupCrn } = await scene.backup();
  let made: Promise<unknown> | undefined;
  let crn = "";
  scene.simulator.intercept(({ method, path: at }) => {
    if (
      method === "PATCH" &&
      at.endsWith("/deployments/cdp-api") &&
      scene.engine.getLogs(crn).includes("STARTING_APPS")
    )
      made ??= scene.change(path, { webhooks: [withCertificate("new")] });
    return undefined;
  });
  crn = await scene.startRestore(backupCrn);
  const restore = await scene.restored(crn);
  await made;
  expect(reported(restore)).toEqual([]);
  expect(await webhooksOf(scene)).toEqual([withCertificate("new")]);
});

test("a webhook that is newer than the backup and has lost its service is named", async () => {
  const scene = await Scene.open();
  const { crn } = await scene.backup();
  const webhook = ours("a.x", { clientConfig: { service: { namespace: "cdp", name: "newer" } } });
  await scene.create(mutating, configuration(webhook));
  expect(reported(await scene.restore(crn))).toEqual([
    expect.stringContaining("webhook a.x is newer than the backup and calls service cdp/newer, which does not exist"),
  ]);
  expect(await webhooksOf(scene)).toEqual([webhook]);
});

test("a configuration that somebody deletes meanwhile is recreated", async () => {
  const scene = await Scene.open();
  await scene.create(mutating, configuration(ours("a.x")));
  const { crn } = await scene.backup();
  const restore = await restoreWhile(scene, crn, () => scene.remove(path));
  expect(reported(restore)).toEqual([]);
  expect(await webhooksOf(scene)).toEqual([ours("a.x")]);
});
