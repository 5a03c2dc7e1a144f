import { beforeEach, expect, test } from "vitest";
import { simulated } from "./client.ts";

const cluster = simulated();
const path = "/api/v1/namespaces/default/configmaps";

interface Event {
  readonly type: string;
  readonly object: { readonly kind: string; readonly code?: number; readonly metadata: { readonly name: string } };
}

/** Reads events until there are so many. */
async function events(query: string, count: number): Promise<readonly Event[]> {
  const controller = new AbortController();
  const response = await fetch(`${cluster.simulator.url}${path}?watch=true&${query}`, { signal: controller.signal });
  const found: Event[] = [];
  let rest = "";
  for await (const chunk of response.body ?? []) {
    const lines = (rest + Buffer.from(chunk).toString()).split("\n");
    rest = lines.pop() ?? "";
    found.push(...lines.map((line) => JSON.parse(line) as Event));
    if (found.length >= count) break;
  }
  controller.abort();
  return found;
}

function show(found: readonly Event[]): readonly string[] {
  return found.map(({ type, object }) => `${type} ${object.metadata.name}`);
}

beforeEach(() => cluster.settled());

test("a watch goes on from a list's resourceVersion, past and coming changes alike", async () => {
  const { metadata } = await cluster.get(path);
  await cluster.post(path, { metadata: { name: "x" } });
  const watching = events(`resourceVersion=${metadata.resourceVersion}`, 3);
  await cluster.merge(`${path}/x`, { data: { k: "v" } });
  await cluster.delete(`${path}/x`);
  expect(show(await watching)).toEqual(["ADDED x", "MODIFIED x", "DELETED x"]);
});

test("an object that begins or ceases to match the selector is added or deleted", async () => {
  const watching = events("labelSelector=app%3Dx", 2);
  await cluster.post(path, { metadata: { name: "x" } });
  await cluster.merge(`${path}/x`, { metadata: { labels: { app: "x" } } });
  await cluster.merge(`${path}/x`, { metadata: { labels: { app: "y" } } });
  expect(show(await watching)).toEqual(["ADDED x", "DELETED x"]);
});

test("a watch without a resourceVersion begins with what is there", async () => {
  expect(show(await events("fieldSelector=metadata.name%3Dkube-root-ca.crt", 1))).toEqual(["ADDED kube-root-ca.crt"]);
});

test("a watch from a forgotten resourceVersion is told so", async () => {
  await cluster.post(path, { metadata: { name: "x" } });
  cluster.simulator.compact();
  const [event] = await events("resourceVersion=1", 1);
  expect(event).toMatchObject({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } });
});

test("a watch ends after timeoutSeconds", async () => {
  const response = await fetch(`${cluster.simulator.url}${path}?watch=true&resourceVersion=0&timeoutSeconds=1`);
  expect(await response.text()).toContain('"ADDED"');
});
