import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import type { Picture } from "../../../demo/picture.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const enforce = "pod-security.kubernetes.io/enforce";
const namespace = "/api/v1/namespaces/cdp";
const deployments = "/apis/apps/v1/namespaces/cdp/deployments";
const api = `${deployments}/cdp-api`;
const asBefore = "the restore failed and was rolled back: the control plane is as before";

const label = (scene: Scene, level: string | null) =>
  scene.change(namespace, { metadata: { labels: { [enforce]: level } } });
const levelIn = async (scene: Scene, path = namespace) => (await scene.get(path)).metadata.labels?.[enforce];
const readyOf = async (scene: Scene, path = api) => (await scene.get(path))["status"];

/** But for the provisioner's note on a claim: one that is given its volume back is not provisioned. */
const left = (before: Picture, after: Picture) =>
  differences(before, after).filter((line) => !/^PersistentVolumeClaim \S+: metadata.annotations differs$/.test(line));

/** Deletes a namespace with all that holds it. */
async function lose(scene: Scene): Promise<void> {
  await scene.remove(namespace);
  const environments = "/apis/platform.cdp.example/v1/namespaces/cdp/environments";
  await scene.until(async () => {
    for (const name of await scene.names(environments))
      await scene.change(`${environments}/${name}`, { metadata: { finalizers: null } }).catch(() => {});
    return !(await scene.names("/api/v1/namespaces")).includes("cdp");
  });
}

/** Refuses the restore's requests; its rollback may make them. */
function refuseOnTheWay(scene: Scene, crnOf: () => string, isRefused: (method: string, path: string) => boolean): void {
  const forbidden = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } };
  scene.simulator.intercept(({ method, path, query, body }) => {
    const log = crnOf() === "" ? "" : scene.engine.getLogs(crnOf());
    const isTrial = query.has("dryRun") || JSON.stringify(body ?? {}).includes('"dryRun"');
    const isOnTheWay = log.includes("STOPPING_APPS phase started") && !log.includes("rolling back");
    return isOnTheWay && !isTrial && isRefused(method, path) ? forbidden : undefined;
  });
}

test.each([
  {
    when: "before anything is made",
    isRefused: (method: string, path: string) => method === "DELETE" && path.endsWith("/configmaps/later"),
  },
  {
    when: "as its applications start",
    isRefused: (method: string, path: string) => method === "PATCH" && path === api,
  },
])(
  "what ran before a stricter label of Pod Security runs again after a restore that fails $when",
  async ({ isRefused }) => {
    const scene = await Scene.open({ maxRefusedObjects: 0, limits: { appsStartTimeout: 2_000 } });
    const backup = await scene.backup();
    await scene.create("/api/v1/namespaces/cdp/configmaps", { metadata: { name: "later" } });
    await scene.change(api, { spec: { replicas: 2 } });
    await scene.simulator.settled();
    await label(scene, "restricted");
    const before = await scene.picture();
    let crn = "";
    refuseOnTheWay(scene, () => crn, isRefused);
    crn = await scene.startRestore(backup.crn);
    const { errors } = await scene.restored(crn);
    expect(texts(errors).at(-1)).toBe(asBefore);
    expect(left(before, await scene.picture())).toEqual([]);
    expect(await levelIn(scene)).toBe("restricted");
    expect(await readyOf(scene)).toMatchObject({ readyReplicas: 2 });
  },
);

test("a label that is newer than the backup goes, whatever it says to the pods", async () => {
  const scene = await Scene.open();
  const before = await scene.picture();
  const backup = await scene.backup();
  await label(scene, "restricted");
  const restore = await scene.restore(backup.crn);
  expect({ state: restore.state, texts: texts([...restore.errors, ...restore.warnings]) }).toEqual({
    state: "COMPLETED",
    texts: [],
  });
  expect(differences(before, await scene.picture())).toEqual([]);
});

const olderThanLabel = (kind: string, name: string) =>
  expect.stringMatching(
    new RegExp(
      `^\\w+: ${kind} ${name} runs, but its pods would be refused if they were created again, because the namespace's label ${enforce} is restricted: violates PodSecurity "restricted:latest": runAsNonRoot.*; change the workload or the label$`,
    ),
  );

test.each([[[]], [["STARTING_APPS phase started", "STARTING_APPS phase finished"]]])(
  "a lost namespace whose own label would refuse its pods comes back with both, and each workload is warned of (restarted: %j)",
  async (restartedAt) => {
    const scene = await Scene.open();
    await label(scene, "restricted");
    const before = await scene.picture();
    const backup = await scene.backup();
    await lose(scene);
    const crn = await scene.startRestore(backup.crn);
    for (const mark of restartedAt) {
      await scene.until(() => scene.engine.getLogs(crn).includes(mark));
      await scene.restart();
    }
    const { state, errors, warnings } = await scene.restored(crn);
    expect({ state, errors }).toEqual({ state: "PARTIALLY_FAILED", errors: [] });
    expect(texts(warnings)).toContainEqual(olderThanLabel("Deployment", "cdp-api"));
    expect(texts(warnings)).toContainEqual(olderThanLabel("StatefulSet", "cdp-embedded-db"));
    expect(new Set(texts(warnings)).size).toBe(warnings.length);
    expect(differences(before, await scene.picture())).toEqual([]);
  },
);

test("a lost namespace whose label allows its pods comes back without a word", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await lose(scene);
  const restore = await scene.restore(backup.crn);
  expect(texts([...restore.errors, ...restore.warnings])).toEqual([]);
  expect(await levelIn(scene)).toBe("baseline");
});

test("a lost namespace whose label allows its pods comes back where the cluster's default does not allow them", async () => {
  const scene = await Scene.open();
  await scene.change("/api/v1/namespaces/vault-system", { metadata: { labels: { [enforce]: "baseline" } } });
  const backup = await scene.backup();
  const before = await scene.picture();
  await lose(scene);
  scene.simulator.setPodSecurityDefault("restricted");
  const restore = await scene.restore(backup.crn);
  expect(texts([...restore.errors, ...restore.warnings])).toEqual([]);
  expect(await levelIn(scene)).toBe("baseline");
  expect(left(before, await scene.picture())).toEqual([]);
});

test("a namespace that has lost its label since the backup is restored where the cluster's default allows less", async () => {
  const scene = await Scene.open();
  await scene.change("/api/v1/namespaces/vault-system", { metadata: { labels: { [enforce]: "baseline" } } });
  const before = await scene.picture();
  const backup = await scene.backup();
  await label(scene, null);
  await scene.change(api, { spec: { template: { metadata: { annotations: { newer: "than the backup" } } } } });
  await scene.simulator.settled();
  scene.simulator.setPodSecurityDefault("restricted");
  const restore = await scene.restore(backup.crn);
  expect(texts([...restore.errors, ...restore.warnings])).toEqual([]);
  expect(left(before, await scene.picture())).toEqual([]);
});

test("a lost namespace comes back where the cluster refuses it a laxer level than its own", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await lose(scene);
  scene.simulator.intercept(({ method, path, body }) =>
    method === "POST" && path === "/api/v1/namespaces" && body.includes(`"${enforce}":"privileged"`)
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "nobody is privileged here" } }
      : undefined,
  );
  const restore = await scene.restore(backup.crn);
  expect(texts([...restore.errors, ...restore.warnings])).toEqual([]);
  expect(scene.engine.getLogs(restore.crn)).toContain(
    "namespace cdp has Pod Security level baseline at once, as privileged is refused: ",
  );
  expect(await levelIn(scene)).toBe("baseline");
});

test("a namespace that had no label gets its own where the cluster refuses one that allows everything", async () => {
  const scene = await Scene.open();
  await label(scene, "restricted");
  const backup = await scene.backup();
  await label(scene, null);
  await scene.change(api, { spec: { template: { metadata: { annotations: { newer: "than the backup" } } } } });
  await scene.simulator.settled();
  scene.simulator.intercept(({ method, path, body }) =>
    method === "PATCH" && path === namespace && JSON.stringify(body).includes("privileged")
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "nobody is privileged here" } }
      : undefined,
  );
  const { errors } = await scene.restore(backup.crn);
  expect(errors).toEqual([]);
  expect(await levelIn(scene)).toBe("restricted");
  expect(await readyOf(scene)).toMatchObject({ readyReplicas: 3 });
});

test("a saved label that is stricter than the present one comes in force when the pods run", async () => {
  const scene = await Scene.open();
  await label(scene, "restricted");
  const backup = await scene.backup();
  await label(scene, null);
  await scene.change(api, { spec: { template: { metadata: { annotations: { newer: "than the backup" } } } } });
  await scene.simulator.settled();
  const { state, warnings, errors } = await scene.restore(backup.crn);
  expect({ state, errors }).toEqual({ state: "PARTIALLY_FAILED", errors: [] });
  expect(texts(warnings)).toContainEqual(olderThanLabel("Deployment", "cdp-api"));
  expect(await levelIn(scene)).toBe("restricted");
  expect(await readyOf(scene)).toMatchObject({ readyReplicas: 3 });
});

test("a label that the cluster does not take any more is an error that names it, and nothing is lost for it", async () => {
  const scene = await Scene.open();
  await label(scene, "restricted");
  const backup = await scene.backup();
  await lose(scene);
  scene.simulator.intercept(({ method, path, body }) =>
    method === "PATCH" && path === namespace && JSON.stringify(body).includes("restricted")
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "labels are guarded" } }
      : undefined,
  );
  const { state, errors } = await scene.restore(backup.crn);
  expect(state).toBe("FAILED");
  expect(texts(errors)).toEqual([
    expect.stringMatching(
      /^Namespace cdp has Pod Security level privileged in place of restricted: .*labels are guarded$/,
    ),
    expect.stringMatching(/^not everything was restored\. /),
  ]);
  expect(await readyOf(scene)).toMatchObject({ readyReplicas: 3 });
});

test("nothing is stopped where a label that stays would refuse what runs", async () => {
  const scene = await Scene.open();
  await label(scene, "restricted");
  const backup = await scene.backup();
  const before = await scene.versions();
  const { errors, crn } = await scene.restore(backup.crn);
  expect(texts(errors)).toEqual([
    expect.stringMatching(/^existing objects would be lost, .*Deployment cdp\/cdp-api: /),
  ]);
  expect(scene.engine.getLogs(crn)).toContain("nothing in the namespaces was touched");
  expect(await scene.versions()).toEqual(before);
});

test("what is added to a namespace is judged by the label that the namespace has, and keeps", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await scene.remove(api);
  await label(scene, "restricted");
  const { errors } = await scene.restore(backup.crn, { mode: "add" });
  expect(texts(errors)).toEqual([expect.stringContaining("Deployment cdp/cdp-api: ")]);
  expect(await levelIn(scene)).toBe("restricted");
  expect(await scene.names(deployments)).not.toContain("cdp-api");
});

test("a scratch restore runs what ran, under the label that it had", async () => {
  const scene = await Scene.open();
  await label(scene, "restricted");
  const backup = await scene.backup();
  const mapping = { cdp: "drill", "vault-system": "drill-vault" };
  const { state, warnings, errors } = await scene.restore(backup.crn, { mode: "scratch", mapping });
  expect({ state, errors }).toEqual({ state: "PARTIALLY_FAILED", errors: [] });
  expect(texts(warnings)).toContainEqual(olderThanLabel("Deployment", "cdp-api"));
  expect(await levelIn(scene, "/api/v1/namespaces/drill")).toBe("restricted");
  expect(await readyOf(scene, "/apis/apps/v1/namespaces/drill/deployments/cdp-api")).toMatchObject({
    readyReplicas: 3,
  });
  expect(await levelIn(scene)).toBe("restricted");
});

test("a scratch restore that may not put its label in force tries again in its clean-up", async () => {
  const scene = await Scene.open();
  await label(scene, "restricted");
  const backup = await scene.backup();
  const drill = "/api/v1/namespaces/drill";
  let crn = "";
  const hasFailedOnce = () => crn !== "" && /attempt 1 of 3: .* again in/.test(scene.engine.getLogs(crn));
  scene.simulator.intercept(({ method, path }) =>
    method === "PATCH" && path === drill && !hasFailedOnce()
      ? {
          status: 403,
          body: {
            kind: "Status",
            reason: "Forbidden",
            message: 'namespaces "drill" is forbidden: User "drs" cannot patch it',
          },
        }
      : undefined,
  );
  const mapping = { cdp: "drill", "vault-system": "drill-vault" };
  crn = await scene.startRestore(backup.crn, { mode: "scratch", mapping });
  await scene.restored(crn);
  expect(hasFailedOnce()).toBe(true);
  expect(await levelIn(scene, drill)).toBe("restricted");
});

test("a laxer label that is refused when the restore begins, though not when it was tried, keeps nothing from going back", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await label(scene, "restricted");
  const before = await scene.picture();
  scene.simulator.intercept(({ method, path, query, body }) =>
    method === "PATCH" && path === namespace && !query.has("dryRun") && JSON.stringify(body).includes("baseline")
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "labels are guarded" } }
      : undefined,
  );
  const { state, errors } = await scene.restore(backup.crn);
  expect({ state, texts: texts(errors) }).toEqual({
    state: "FAILED",
    texts: [expect.stringMatching(/labels are guarded$/), asBefore],
  });
  expect(differences(before, await scene.picture())).toEqual([]);
});

test("a label that somebody else puts in force while the restore runs does not keep the applications from starting", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const before = await scene.picture();
  await scene.change(api, { spec: { replicas: 2 } });
  await scene.simulator.settled();
  let isLabelled = false;
  let crn = "";
  scene.simulator.intercept(() => {
    if (isLabelled || crn === "" || !scene.engine.getLogs(crn).includes("RESTORING_OBJECTS phase started"))
      return undefined;
    isLabelled = true;
    void label(scene, "restricted");
    return undefined;
  });
  crn = await scene.startRestore(backup.crn);
  const { state, errors } = await scene.restored(crn);
  expect({ isLabelled, state, errors: texts(errors) }).toEqual({ isLabelled: true, state: "COMPLETED", errors: [] });
  expect(differences(before, await scene.picture())).toEqual([]);
  expect(await levelIn(scene)).toBe("baseline");
});
