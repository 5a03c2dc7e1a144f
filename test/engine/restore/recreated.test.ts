import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const configurations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const claims = "/api/v1/namespaces/cdp/persistentvolumeclaims";
const configuration = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: "made-again" },
  webhooks: [
    {
      name: "made.again",
      clientConfig: { service: { namespace: "cdp", name: "operator" } },
      rules: [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"] }],
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    },
  ],
};
const refusal = {
  status: 500,
  body: { kind: "Status", reason: "InternalError", message: 'failed calling webhook "made.again": no endpoints' },
};
const forbidden = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } };

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}
type Moment = (asked: Asked, log: string) => boolean;

/** Restores while somebody makes a webhook at each of some moments, which refuses every write into the namespaces. */
async function restoreBesideAnother(scene: Scene, moments: readonly Moment[], fails: Moment = () => false) {
  const { crn: backupCrn } = await scene.backup();
  const ahead = [...moments];
  let crn = "";
  let webhook: "gone" | "coming" | "there" = "gone";
  let making: Promise<void> | undefined;
  scene.simulator.intercept(async (asked) => {
    const { method, path } = asked;
    const log = scene.engine.getLogs(crn);
    if (method === "PATCH" && path === `${configurations}/made-again`) webhook = "gone";
    if (webhook === "gone" && ahead[0]?.(asked, log) === true) {
      ahead.shift();
      webhook = "coming";
      making = scene
        .create(configurations, configuration)
        .catch(() => scene.change(`${configurations}/made-again`, configuration))
        .then(() => {
          webhook = "there";
        });
    }
    if (webhook === "coming" && path !== configurations) await making;
    if (fails(asked, log)) return forbidden;
    return webhook === "there" && method !== "GET" && path.includes("/namespaces/") ? refusal : undefined;
  });
  crn = await scene.startRestore(backupCrn);
  const { errors } = await scene.restored(crn);
  expect(ahead).toEqual([]);
  return texts(errors);
}

const looksAtPods: Moment = ({ method, path }) => method === "GET" && path === "/api/v1/namespaces/cdp/pods";
const isStopping: Moment = (asked, log) => log.includes("STOPPING_APPS phase started") && looksAtPods(asked, log);
const isRollingBack: Moment = (asked, log) => log.includes("rolling back") && looksAtPods(asked, log);
const isStarting: Moment = ({ method, path }, log) =>
  method === "PATCH" &&
  path.endsWith("/deployments/cdp-api") &&
  log.includes("STARTING_APPS phase started") &&
  !log.includes("rolling back");

test("webhooks that are recreated while their makers are stopped, or later, refuse nothing of a restore", async () => {
  let made = 0;
  const areClaimsMade: Moment = ({ method, path }) => {
    if (method === "POST" && path.endsWith("/persistentvolumeclaims")) made++;
    return made >= 3 && method === "GET" && path === claims;
  };
  expect(await restoreBesideAnother(await Scene.open(), [isStopping, areClaimsMade])).toEqual([]);
});

test("webhooks that are recreated while a restore rolls back do not keep it from that", async () => {
  expect(
    (await restoreBesideAnother(await Scene.open({ maxRefusedObjects: 0 }), [isRollingBack], isStarting)).at(-1),
  ).toBe("the restore failed and was rolled back: the control plane is as before");
});
