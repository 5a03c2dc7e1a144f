import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "../simulator/simulator.ts";
import type { Simulator } from "../simulator/simulator.ts";
import { differences } from "./differences.ts";
import { followJob } from "./follow-job.ts";
import type { JobView } from "./follow-job.ts";
import { KubernetesClient } from "./kubernetes-client.ts";
import { count, takePicture } from "./picture.ts";
import type { Counts, Picture } from "./picture.ts";
import { bar } from "./screen.ts";
import type { Screen } from "./screen.ts";
import { startService } from "./service.ts";
import type { Call, Service } from "./service.ts";
import { wreck } from "./wreck.ts";

const namespaces = ["cdp", "vault-system"];
/** No more differences than these are listed. */
const shownDifferences = 30;

/**
 * Backs up a sample control plane on a simulated cluster, wrecks it, restores it, and compares every object and every
 * byte with what was there. Resolves to whether nothing differs.
 *
 * `pace` is the time in milliseconds that the cluster's controllers take for each step, so that there is something to see.
 */
export async function runDemo(screen: Screen, { pace }: { readonly pace: number }): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "drs-demo-"));
  const simulator = await startSimulator({ sample: true, controllerDelay: pace });
  const service = await startService(simulator.url, folder);
  try {
    return await report(screen, simulator, service);
  } finally {
    await service.close();
    await simulator.close();
    await rm(folder, { recursive: true });
  }
}

async function report(screen: Screen, simulator: Simulator, { url, call }: Service): Promise<boolean> {
  const client = new KubernetesClient(simulator.url);
  const before = await takePicture(client, simulator.volumes, namespaces);
  const whole = await count(client, namespaces, before);
  screen.line(`A simulated cluster with a control plane in ${namespaces.join(" and ")}: ${summary(before, whole)}.`);
  screen.line(`The service listens on ${url}.`);
  screen.line("It encrypts backups with a key of this demo's own, which goes with the demo.");

  screen.heading("Backup");
  const { backupCrn } = await call<{ backupCrn: string }>("createBackup", { backupName: "before the accident" });
  const backup = await followJob(
    {
      describe: () => describeBackup(call, backupCrn),
      logs: logsOf(call, backupCrn),
      progress: async (text) => text.split(/[,;]/)[0] ?? "",
    },
    screen,
  );
  if (backup.state !== "COMPLETED") return false;
  screen.line(`  ${whatIsSaved(await logsOf(call, backupCrn)(), whole)}`);

  screen.heading("Accident");
  await wreck(client, simulator.volumes, (deed) => screen.line(`  ${deed}`));
  await simulator.settled();
  const wrecked = differences(before, await takePicture(client, simulator.volumes, namespaces));
  screen.line(`  ${wrecked.length} objects and files are missing, new or not what they were.`);

  screen.heading("Restore");
  const { restoreCrn } = await call<{ restoreCrn: string }>("restoreBackup", { backupCrn });
  const restore = await followJob(
    {
      describe: () => describeRestore(call, restoreCrn),
      logs: logsOf(call, restoreCrn),
      progress: async () => whatIsThere(await count(client, namespaces, before), whole, screen),
    },
    screen,
  );

  screen.heading("Comparison");
  await simulator.settled();
  const { pods } = await count(client, namespaces, before);
  const left = [
    ...differences(before, await takePicture(client, simulator.volumes, namespaces)),
    ...(pods === whole.pods ? [] : [`${whole.pods} pods were running, ${pods} are`]),
  ];
  for (const line of left.slice(0, shownDifferences)) screen.line(`  ${screen.style("red", "✘")} ${line}`);
  if (left.length > 0) screen.line(`  ${left.length} differences.`);
  else screen.line(`  ${screen.style("green", "✔")} Nothing differs: ${summary(before, whole)}, to the last byte.`);
  return left.length === 0 && wrecked.length > 0 && restore.state !== "FAILED";
}

function summary({ objects, files }: Picture, { pods }: Counts): string {
  const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
  return `${objects.size} objects, ${pods} pods, ${files.size} files with ${bytes.toLocaleString("en")} bytes`;
}

/** The saved part of the whole, from a backup's log; without revisions, as the cluster counts them again. */
function whatIsSaved(log: string, { objects }: Counts): string {
  const kinds = [...log.matchAll(/ saved (\d+) (\w+)[\w.]*, \d+ bytes$/gm)];
  const sum = (isCounted: (kind: string) => boolean) =>
    kinds.reduce((total, [, count, kind = ""]) => (isCounted(kind) ? total + Number(count) : total), 0);
  const saved = sum((kind) => !revisions.has(kind));
  return (
    `These are ${saved} of the ${objects}, and ${sum((kind) => revisions.has(kind))} revisions of workloads. ` +
    `The other ${objects - saved} are the cluster's own: nothing in the control plane needs them.`
  );
}

const revisions = new Set(["replicasets", "controllerrevisions"]);

/** How much of the control plane is there: with a bar on a terminal. */
function whatIsThere(counts: Counts, whole: Counts, screen: Screen): string {
  const part = (name: keyof Counts) =>
    `${String(Math.min(counts[name], whole[name])).padStart(2)}/${whole[name]} ${name}`;
  const parts = `${part("objects")}  ${part("volumes")}  ${part("pods")}`;
  return screen.isTerminal ? `${bar(counts.objects, whole.objects)} ${parts}` : parts;
}

function logsOf(call: Call, crn: string): () => Promise<string> {
  return async () => (await call<{ logs: string }>("getLogs", { crn })).logs;
}

interface Messages extends Pick<JobView, "warnings" | "errors"> {
  readonly backupJobState: string;
  readonly restoreJobState: string;
}

async function describeBackup(call: Call, backupCrn: string): Promise<JobView> {
  const { backup } = await call<{ backup: Messages }>("describeBackup", { backupCrn });
  return { ...backup, state: backup.backupJobState };
}

async function describeRestore(call: Call, restoreCrn: string): Promise<JobView> {
  const { restore } = await call<{ restore: Messages }>("describeRestore", { restoreCrn });
  return { ...restore, state: restore.restoreJobState };
}
