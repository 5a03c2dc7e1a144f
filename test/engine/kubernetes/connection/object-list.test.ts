import { expect, onTestFinished, test } from "vitest";
import { Cluster } from "../../../../engine/kubernetes/cluster.ts";
import { startSimulator } from "../../../../simulator/simulator.ts";
import { apiServer, breakOff, configMaps, noSignal, reply, status } from "../api-server.ts";

async function simulated(pageLimit: number) {
  const simulator = await startSimulator({ pageLimit });
  const cluster = await Cluster.open({ server: simulator.url }, 4);
  onTestFinished(async () => {
    await cluster.close();
    await simulator.close();
  });
  return { simulator, cluster };
}

const nameOf = (item: Buffer) => (JSON.parse(item.toString()) as { metadata: { name: string } }).metadata.name;

async function fill(cluster: Cluster, count: number): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `object-${String(index).padStart(3, "0")}`);
  await Promise.all(names.map((name) => cluster.create(configMaps, "default", { metadata: { name } }, noSignal)));
  return ["kube-root-ca.crt", ...names];
}

test("a list of many pages has every object once and in order", async () => {
  const { cluster } = await simulated(7);
  const all = await fill(cluster, 50);
  const names: string[] = [];
  for await (const items of cluster.listRaw(configMaps, "default", noSignal)) names.push(...items.map(nameOf));
  expect(names).toEqual(all);
});

test("a list whose continue token expires goes on where it was, however often", async () => {
  const { cluster, simulator } = await simulated(10);
  const all = await fill(cluster, 45);
  const names: string[] = [];
  for await (const items of cluster.listRaw(configMaps, "default", noSignal)) {
    names.push(...items.map(nameOf));
    simulator.expireContinueTokens();
  }
  expect(names).toEqual(all);
});

test("a list that may not go on where it was starts over and passes over what it has given", async () => {
  const { cluster, simulator } = await simulated(10);
  const all = await fill(cluster, 45);
  const names: string[] = [];
  let refusals = 0;
  simulator.intercept(({ query }) => {
    if (query.get("continue") === null || names.length < 20 || refusals++ > 0) return undefined;
    return { status: 410, body: status(410, "Expired", "too old") };
  });
  for await (const items of cluster.listRaw(configMaps, "default", noSignal)) {
    names.push(...items.map(nameOf));
    if (names.length === 20) await cluster.delete(configMaps, "default", "object-018", noSignal);
  }
  expect(refusals).toBeGreaterThan(0);
  expect(names).toEqual(all);
});

const page = (names: readonly string[], more: object = {}) =>
  JSON.stringify({
    kind: "ConfigMapList",
    metadata: { resourceVersion: "5", ...more },
    items: names.map((name) => ({ metadata: { namespace: "a", name }, data: { filler: "x".repeat(50) } })),
  });

test("a page whose connection breaks in its middle is read again without holes or duplicates", async () => {
  const first = page(["a", "b", "c", "d"], { continue: "next" });
  const second = page(["e", "f", "g"]);
  for (const after of [1, 60, 200, 300, 400, first.length - 1]) {
    let broken = 0;
    const { cluster } = await apiServer(({ query }, response) => {
      const body = query.get("continue") === "next" ? second : first;
      if (broken < 4 && broken++ % 2 === 0) breakOff(response, body, Math.min(after, body.length - 1));
      else reply(response, 200, body);
    });
    const names: string[] = [];
    for await (const items of cluster.listRaw(configMaps, "a", noSignal)) names.push(...items.map(nameOf));
    expect(names, `broken after ${after}`).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  }
});

test("a list that breaks every time is UNAVAILABLE in the end", async () => {
  const { cluster } = await apiServer((_, response) => breakOff(response, page(["a", "b"]), 150));
  const list = Array.fromAsync(cluster.listRaw(configMaps, "a", noSignal));
  await expect(list).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("what the taker of the items throws is not taken for a broken connection", async () => {
  const { cluster, asked } = await apiServer((_, response) => reply(response, 200, page(["a", "b"])));
  const take = async () => {
    for await (const _ of cluster.listRaw(configMaps, "a", noSignal)) throw new Error("disk full");
  };
  await expect(take()).rejects.toThrow("disk full");
  expect(asked).toHaveLength(1);
});

test("lists that their takers are slow to read keep no other request, and no list, waiting", async () => {
  const long = page(
    Array.from({ length: 20_000 }, (_, index) => `object-${String(index).padStart(5, "0")}`),
    { continue: "next" },
  );
  const { cluster } = await apiServer(({ path }, response) =>
    reply(response, 200, path.endsWith("/one") ? { metadata: { namespace: "a", name: "one" } } : long),
  );
  const slow = Array.from({ length: 30 }, () => cluster.listRaw(configMaps, "a", noSignal));
  onTestFinished(async () => void (await Promise.all(slow.map((list) => list.return(undefined)))));
  for (const list of slow) expect((await list.next()).done).toBe(false);
  expect(await cluster.get(configMaps, "a", "one", noSignal)).toMatchObject({ metadata: { name: "one" } });
});
