import { expect, onTestFinished, test, vi } from "vitest";
import { Cluster } from "../../../../engine/kubernetes/cluster.ts";
import { waitFor, waitUntilGone } from "../../../../engine/kubernetes/waiting.ts";
import { startSimulator } from "../../../../simulator/simulator.ts";
import { apiServer, breakOff, configMaps, noSignal, reply } from "../api-server.ts";

async function simulated(pageLimit = 500) {
  const simulator = await startSimulator({ pageLimit });
  const cluster = await Cluster.open({ server: simulator.url }, 4);
  onTestFinished(async () => {
    await cluster.close();
    await simulator.close();
  });
  return { simulator, cluster };
}

const create = (cluster: Cluster, name: string) =>
  cluster.create(configMaps, "default", { metadata: { name } }, noSignal);
const remove = (cluster: Cluster, name: string) => cluster.delete(configMaps, "default", name, noSignal);
const list = (names: readonly string[], resourceVersion: string) => ({
  metadata: { resourceVersion },
  items: names.map((name) => ({ metadata: { name, namespace: "n" } })),
});
const isA = ({ metadata }: { metadata: { name: string } }) => metadata.name === "a";
const line = (type: string, name: string, resourceVersion: string) =>
  `${JSON.stringify({ type, object: { metadata: { name, namespace: "n", resourceVersion } } })}\n`;

test("a watch shows what there is, then every change, and ends with its signal", async () => {
  const { cluster } = await simulated();
  const ending = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const sighting of cluster.watch(configMaps, "default", ending.signal)) {
      seen.push(typeof sighting === "string" ? sighting : `${sighting.object.metadata.name} ${sighting.gone}`);
      if (sighting === "listed") await create(cluster, "new");
      if (seen.at(-1) === "new false") await remove(cluster, "new");
      if (seen.at(-1) === "new true") ending.abort();
    }
  })();
  await expect(watching).rejects.toThrow(/abort/i);
  expect(seen).toEqual(["kube-root-ca.crt false", "listed", "new false", "new true"]);
});

test("a watch that is too old begins again with a list, and what went meanwhile is reported as gone", async () => {
  for (const how of ["answer", "event"]) {
    const { cluster } = await apiServer(({ query }, response, count) => {
      if (count === 1) reply(response, 200, list(["stays", "goes"], "5"));
      else if (count === 2 && how === "answer") reply(response, 410, { kind: "Status", code: 410, reason: "Expired" });
      else if (count === 2)
        reply(response, 200, `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410 } })}\n`);
      else if (query.get("watch") === null) reply(response, 200, list(["stays"], "9"));
      else response.writeHead(200).flushHeaders();
    });
    const seen: string[] = [];
    const wait = { type: configMaps, namespace: "n", timeoutMs: 5_000, signal: noSignal };
    const see = ({ metadata }: { metadata: { name: string } }, gone: boolean) =>
      void seen.push(`${metadata.name} ${gone}`);
    expect(await waitFor(cluster, wait, see, () => seen.includes("goes true"))).toBe(true);
    expect(seen).toEqual(["stays false", "goes false", "stays false", "goes true"]);
  }
});

test("a watch whose connection breaks goes on after the last change it has seen", async () => {
  const { cluster, asked } = await apiServer(({ query }, response) => {
    const since = query.get("resourceVersion");
    if (query.get("watch") === null) reply(response, 200, { metadata: { resourceVersion: "5" }, items: [] });
    else if (since === "5") {
      const text = line("ADDED", "a", "6") + line("BOOKMARK", "", "7") + line("ADDED", "never whole", "8");
      breakOff(response, text, text.length - 10);
    } else response.write(line("ADDED", "b", "9"));
  });
  const seen: string[] = [];
  const wait = { type: configMaps, namespace: "n", timeoutMs: 5_000, signal: noSignal };
  await waitFor(
    cluster,
    wait,
    ({ metadata }) => void seen.push(metadata.name),
    () => seen.includes("b"),
  );
  expect(seen).toEqual(["a", "b"]);
  expect(asked.map(({ query }) => query.get("resourceVersion"))).toEqual([null, "5", "7"]);
});

test("what is deleted while a long list loses its place is not waited for", async () => {
  const { cluster, simulator } = await simulated(2);
  for (const name of ["a", "b", "c", "d"]) await create(cluster, name);
  let asked = 0;
  simulator.intercept(({ method, query }) => {
    if (method === "GET" && query.get("continue") !== null && asked++ === 0) {
      simulator.expireContinueTokens();
      void remove(cluster, "a");
    }
    return undefined;
  });
  const wait = { type: configMaps, namespace: "default", timeoutMs: 3_000, signal: noSignal };
  expect(await waitUntilGone(cluster, wait, isA)).toEqual([]);
});

test("a wait ends with what is left when its time is up", async () => {
  const { cluster } = await simulated();
  const wait = { type: configMaps, namespace: "default", timeoutMs: 100, signal: noSignal };
  const left = await waitUntilGone(cluster, wait, () => true);
  expect(left.map(({ metadata }) => metadata.name)).toEqual(["kube-root-ca.crt"]);
});

test("what a slow list has not shown yet is not taken for gone when the time is up", async () => {
  const { cluster } = await apiServer(({ query }, response) => {
    if (query.get("watch") === null) setTimeout(() => reply(response, 200, list(["a"], "5")), 300);
    else response.writeHead(200).flushHeaders();
  });
  const wait = { type: configMaps, namespace: "n", timeoutMs: 50, signal: noSignal };
  const left = await waitUntilGone(cluster, wait, isA);
  expect(left.map(({ metadata }) => metadata.name)).toEqual(["a"]);
});

test("a collection that the API server does not list is not taken for empty", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const { cluster } = await apiServer(() => void vi.advanceTimersByTime(30_000));
  const wait = { type: configMaps, namespace: "n", timeoutMs: 50, signal: noSignal };
  await expect(waitUntilGone(cluster, wait, () => true)).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: "the API server did not list the configmaps of n within 30 s",
  });
});

test("a server that ends every watch at once is not asked without a pause", async () => {
  const { cluster, asked } = await apiServer(({ query }, response) =>
    reply(response, 200, query.get("watch") === null ? { metadata: { resourceVersion: "5" }, items: [] } : ""),
  );
  await waitFor(
    cluster,
    { type: configMaps, namespace: "n", timeoutMs: 600, signal: noSignal },
    () => {},
    () => false,
  );
  expect(asked.length).toBeLessThan(20);
});
