import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { apiPath } from "../support/kubernetes-client.ts";
import type { Change } from "./changes.ts";
import { keyOf, pathOf } from "./kinds.ts";
import { createObject, dataFolder } from "./make-world.ts";
import { type Scope, takeState } from "./state.ts";

/** Makes changes one after the other. A change that others forbid, or whose object is gone, does not happen; `report` gets either. */
export async function makeChanges(
  changes: readonly Change[],
  cluster: TestCluster,
  scope: Scope,
  report: (text: string) => void,
): Promise<void> {
  for (const change of changes) {
    try {
      report(await makeChange(change, cluster, scope));
    } catch (error) {
      report(`not done: ${change.what}: ${String(error).slice(0, 200)}`);
    }
  }
}

async function makeChange(change: Change, cluster: TestCluster, scope: Scope): Promise<string> {
  const { kubernetes } = cluster;
  if (change.what === "files" || change.what === "delete claim") return changeClaim(change, cluster, scope);
  const path = pathOf(change.target, "object");
  const told = `${change.what} ${keyOf(change.target)}`;
  switch (change.what) {
    case "patch":
      await kubernetes.patch(path, change.patch);
      return `${told} ${JSON.stringify(change.patch)}`;
    case "delete":
      await kubernetes.delete(path);
      return told;
    case "add":
      await createObject(cluster, change.target);
      return told;
    case "recreate":
      await kubernetes.delete(path);
      await eventually("it is gone", async () => !(await kubernetes.find(path)), { timeout: 2_000, interval: 50 });
      await createObject(cluster, change.target);
      return told;
  }
}

async function changeClaim(
  change: Extract<Change, { nth: number }>,
  cluster: TestCluster,
  scope: Scope,
): Promise<string> {
  const { volumeOf } = await takeState(cluster, scope);
  const claims = [...volumeOf].sort(([a], [b]) => (a < b ? -1 : 1));
  const [claim = "", volume = ""] = claims[change.nth % claims.length] ?? [];
  if (claim === "") return `not done: ${change.what}: there is no claim`;
  if (change.what === "delete claim") {
    const [namespace, name] = claim.split("/");
    await cluster.kubernetes.delete(apiPath({ apiVersion: "v1", resource: "persistentvolumeclaims" }, namespace, name));
    return `delete claim ${claim}`;
  }
  const folder = await dataFolder(cluster, volume);
  if (folder === undefined) return `not done: ${claim} has no files`;
  const { how, text } = change;
  if (how === "gone") for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  else await writeFile(join(folder, how === "more" ? "MORE" : "VERSION"), text);
  return `files ${how} in ${claim}`;
}
