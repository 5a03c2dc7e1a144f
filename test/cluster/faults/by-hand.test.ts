import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import type { SmallControlPlane } from "../fidelity/support.ts";
import { damagePart } from "../support/archives.ts";
import { documentedCommands } from "../support/documented-commands.ts";
import { restoreLeftovers } from "../support/leftovers.ts";
import { aRunningControlPlane, differencesSince, reaches, release, settled, takePictureOf } from "./scene.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");
/** Beside bash and kubectl. */
const needed = ["jq", "zstdcat"];
const isMissing = needed.some((program) => spawnSync(program, ["--version"]).error !== undefined);
/** Of a kind whose status is data like any other. */
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gadgets.by-hand.example.com }
spec:
  group: by-hand.example.com
  scope: Namespaced
  names: { kind: Gadget, plural: gadgets }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`;
const gadget = `
apiVersion: by-hand.example.com/v1
kind: Gadget
metadata: { name: gadget }
status: { shards: 3 }
`;

const planes: SmallControlPlane[] = [];

afterAll(async () => {
  for (const plane of planes) await plane.remove();
});

test.skipIf(isMissing)(
  "a control plane that could not go back is brought back by the documented commands",
  async () => {
    const plane = await released("by-hand-failed");
    await plane.create(definition);
    await plane.cluster.kubectl("wait", "--for=condition=Established", "crd/gadgets.by-hand.example.com");
    await plane.create(gadget);
    const before = await takePictureOf(plane);
    const restoreCrn = await startFailing(plane);
    const fix = await damagePart(plane.service.data, restoreCrn, "core.v1.configmaps");
    const { errors } = await plane.service.waitForJob(restoreCrn, { state: "FAILED" });
    await fix();
    await isBroughtBack(plane, before, restoreCrn, errors, /^the rollback failed, too: .* is damaged: /);
    expect((await plane.get("by-hand.example.com/v1/gadgets", "gadget"))["status"]).toEqual({ shards: 3 });
  },
);

test.skipIf(isMissing)("a control plane that is not to go back is brought back by them, too", async () => {
  const plane = await released("by-hand-off", "--go-back=off");
  const before = await takePictureOf(plane);
  const restoreCrn = await startFailing(plane);
  const { errors } = await plane.service.waitForJob(restoreCrn, { state: "FAILED" });
  expect(errors).toHaveLength(2);
  await isBroughtBack(plane, before, restoreCrn, errors, /^rollback is turned off\. /);
});

/** A control plane that is not any more as it was backed up. */
async function released(namespace: string, ...flags: readonly string[]): Promise<SmallControlPlane> {
  const plane = await aRunningControlPlane(namespace, flags);
  planes.push(plane);
  await plane.backUp();
  await release(plane, 2);
  return plane;
}

/** Starts a restore whose archive is damaged when it is too late to leave all untouched. */
async function startFailing(plane: SmallControlPlane): Promise<string> {
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await reaches(plane, restoreCrn, "DELETING_OBJECTS");
  await damagePart(plane.service.data, plane.backupCrn, "core.v1.persistentvolumeclaims");
  return restoreCrn;
}

/** Reads the last error, and does what it refers to. */
async function isBroughtBack(
  plane: SmallControlPlane,
  before: Awaited<ReturnType<typeof takePictureOf>>,
  restoreCrn: string,
  errors: readonly unknown[],
  saying: RegExp,
): Promise<void> {
  const { text } = errors.at(-1) as { text: string };
  expect(text).toMatch(saying);
  expect(text).toContain(`under safety/${uuidOf(restoreCrn)}, `);
  expect(text).toContain('"When a rollback fails" in docs/operations.md');
  const claims = before.objects.values().filter(({ kind }) => kind === "PersistentVolumeClaim");
  for (const { spec, metadata } of claims)
    expect(text).toContain(`${spec.volumeName} of ${plane.namespace}/${metadata.name}`);
  expect(await differencesSince(before, plane)).not.toEqual([]);

  expect(await byHand(plane, restoreCrn)).toContain("\nwhole\n");
  await settled(plane);
  expect(await differencesSince(before, plane)).toEqual([]);
  const left = await restoreLeftovers(plane.cluster, restoreCrn);
  expect(left.filter((line) => line.startsWith("VolumeSnapshot"))).toEqual([]);
}

/** Runs the commands of docs/operations.md as they stand, but for the places in them; returns what they print. */
async function byHand({ cluster, service, namespace }: SmallControlPlane, restoreCrn: string): Promise<string> {
  const commands = await documentedCommands("When a rollback fails");
  const place = await mkdtemp(join(tmpdir(), "drs-by-hand-"));
  const script = commands
    .replaceAll(".drs/encryption-keys", join(service.data, "encryption-keys"))
    .replaceAll("archives/safety/<uuid>", join(service.data, "archives/safety/<uuid>"))
    .replaceAll("/secure/place", place)
    .replaceAll("<uuid>", uuidOf(restoreCrn))
    // Which the text asks for.
    .replace(/^put storage\./m, (line) => `kubectl -n ${namespace} wait pvc --all ${isBound}\n${line}`);
  try {
    const { stdout } = await run("bash", ["-c", script], {
      timeout: 120_000,
      cwd: root,
      env: cluster.environment,
    });
    return stdout;
  } finally {
    await rm(place, { recursive: true });
  }
}

const isBound = "--for=jsonpath={.status.phase}=Bound --timeout=60s";

function uuidOf(crn: string): string {
  return crn.slice(crn.lastIndexOf(":") + 1);
}
