import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, type SmallControlPlane } from "./support.ts";

const accounts = "v1/serviceaccounts";
const secrets = "v1/secrets";
const configMaps = "v1/configmaps";

let plane: SmallControlPlane;
/** The uid of what the cluster put there itself. */
let certificates: unknown;

beforeAll(async () => {
  plane = await aControlPlane("accounts", manifests);
  await plane.patch(accounts, "default", {
    metadata: { labels: { team: "platform" } },
    imagePullSecrets: [{ name: "images" }],
  });
  await tokenOf("portal-token");
  await tokenOf(clusterMade);
  await plane.backUp();

  await plane.patch(accounts, "default", { metadata: { labels: null }, imagePullSecrets: null });
  await plane.kubectl("delete", "serviceaccount/portal", "secret/key", "configmap/release");
  await plane.create(changed);
  certificates = (await plane.get(configMaps, rootCertificates)).metadata["uid"];
  await plane.restore();
});

afterAll(async () => plane?.remove());

test("the account that the cluster makes in every namespace gets back what was added to it", async () => {
  const account = await plane.get(accounts, "default");
  expect(account.metadata.labels).toEqual({ team: "platform" });
  expect(account["imagePullSecrets"]).toEqual([{ name: "images" }]);
});

test("a token that a user made is filled again, for the new account", async () => {
  const { uid } = (await plane.get(accounts, "portal")).metadata;
  expect(await reviewed(await tokenOf("portal-token"))).toMatchObject({ authenticated: true, user: { uid } });
});

test("a token that the cluster made is not recreated, and no account names it", async () => {
  expect(await plane.find(secrets, clusterMade)).toBeUndefined();
  expect((await plane.get(accounts, "portal"))["secrets"]).toEqual([{ name: "portal-token" }]);
});

test("immutable secrets and config maps come back as they were", async () => {
  expect(await plane.get(secrets, "key")).toMatchObject({ immutable: true, data: { key: "AAEC" } });
  expect(await plane.get(configMaps, "release")).toMatchObject({ immutable: true, data: { version: "1.5.3" } });
});

test("the cluster's own certificates are left alone", async () => {
  expect((await plane.get(configMaps, rootCertificates)).metadata["uid"]).toBe(certificates);
});

async function tokenOf(secret: string): Promise<string> {
  const { data } = await plane.until(secrets, secret, (object) => object["data"]?.token !== undefined);
  return Buffer.from(data.token, "base64").toString();
}

async function reviewed(token: string): Promise<unknown> {
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } };
  const answer = await plane.cluster.kubernetes.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
    body: review,
  });
  return (JSON.parse(answer) as { status: unknown }).status;
}

const rootCertificates = "kube-root-ca.crt";
/** As clusters before 1.24 named the token they made for each account. */
const clusterMade = "portal-token-x7k2p";

const manifests = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: portal }
secrets: [{ name: portal-token }, { name: ${clusterMade} }]
---
apiVersion: v1
kind: Secret
metadata: { name: portal-token, annotations: { kubernetes.io/service-account.name: portal } }
type: kubernetes.io/service-account-token
---
apiVersion: v1
kind: Secret
metadata: { name: ${clusterMade}, annotations: { kubernetes.io/service-account.name: portal } }
type: kubernetes.io/service-account-token
---
apiVersion: v1
kind: Secret
metadata: { name: key }
immutable: true
data: { key: AAEC }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: release }
immutable: true
data: { version: 1.5.3 }
`;

const changed = `
apiVersion: v1
kind: Secret
metadata: { name: key }
immutable: true
data: { key: "/w==" }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: release }
immutable: true
data: { version: 9.9.9 }
`;
