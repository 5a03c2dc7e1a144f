import { once } from "node:events";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";
import { Cluster } from "../../../../engine/kubernetes/cluster.ts";
import { file } from "../../../support/test-server.ts";
import { temporaryFolder } from "../../store/temporary-store.ts";
import { configMaps, noSignal } from "../api-server.ts";

const base64 = async (name: string) => (await readFile(file(name))).toString("base64");

/** An API server that lets clients in by their certificate, as Kubernetes' does, with each request. */
async function strictServer() {
  const server = createServer(
    {
      cert: await readFile(file("certificate.pem")),
      key: await readFile(file("key.pem")),
      ca: await readFile(file("authority.pem")),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const isKnown = (request.socket as TLSSocket).authorized;
      response.writeHead(isKnown ? 200 : 401, { "content-type": "application/json" });
      response.end(JSON.stringify({ metadata: { name: "a" } }));
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function kubeconfig(path: string, server: string, user: object): Promise<void> {
  const cluster = { server, "certificate-authority": file("certificate.pem") };
  const content = {
    "current-context": "home",
    contexts: [{ name: "home", context: { cluster: "house", user: "me" } }],
    clusters: [{ name: "house", cluster }],
    users: [{ name: "me", user }],
  };
  await writeFile(path, JSON.stringify(content));
}

async function open(path: string): Promise<Cluster> {
  const cluster = await Cluster.open({ kubeconfig: path }, 2);
  onTestFinished(() => cluster.close());
  return cluster;
}

const ask = (cluster: Cluster) => cluster.get(configMaps, "n", "a", noSignal);

test("a client certificate whose file changes is used from the next request on", async () => {
  const folder = temporaryFolder();
  const [path, certificate] = [join(folder, "kubeconfig"), join(folder, "client.pem")];
  await copyFile(file("expired.pem"), certificate);
  const user = { "client-certificate": certificate, "client-key": file("client-key.pem") };
  await kubeconfig(path, await strictServer(), user);
  const cluster = await open(path);
  await expect(ask(cluster)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  await copyFile(file("alice.pem"), certificate);
  expect(await ask(cluster)).toMatchObject({ metadata: { name: "a" } });
});

const userOf = async (certificate: string) => ({
  "client-certificate-data": await base64(certificate),
  "client-key-data": await base64("client-key.pem"),
});

test("a kubeconfig that is renewed is reloaded, but for another cluster or while it cannot be read", async () => {
  const path = join(temporaryFolder(), "kubeconfig");
  const server = await strictServer();
  await kubeconfig(path, server, await userOf("expired.pem"));
  const cluster = await open(path);
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => (now += 20_000));
  onTestFinished(() => void vi.restoreAllMocks());
  await expect(ask(cluster)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  await kubeconfig(path, server, await userOf("alice.pem"));
  expect(await ask(cluster)).toMatchObject({ metadata: { name: "a" } });
  await writeFile(path, "{");
  expect(await ask(cluster)).toMatchObject({ metadata: { name: "a" } });
  await kubeconfig(path, "https://127.0.0.1:1", await userOf("alice.pem"));
  expect(await ask(cluster)).toMatchObject({ metadata: { name: "a" } });
});
