import { expect } from "vitest";
import type { TestService } from "../support/service.ts";
import { wreckInPlace } from "../support/wreck.ts";
import type { JobKind } from "./crash-points.ts";
import type { CrashScene } from "./crash-scene.ts";
import type { Death, Survivor } from "./deaths.ts";

export interface LifeCycle {
  readonly deaths: (kind: JobKind) => readonly Death[];
  /** Called for each job that has ended, before its process goes. */
  readonly onEnd?: (kind: JobKind, survivor: Survivor) => void;
}

/**
 * Backs the control plane up, wrecks it, restores it and deletes the backup, with deaths in each of the three jobs, and
 * expects after each that all is as after an unbroken one: what is in the cluster, the storage system, the archives, and
 * what the service says of its jobs.
 */
export async function expectUnbroken(scene: CrashScene, { deaths, onEnd }: LifeCycle): Promise<void> {
  const backup = await scene.backup(deaths("backup"));
  const { crn: backupCrn, service } = backup;
  await ended("backup", backup, async () => {
    await service.waitForJob(backupCrn);
    expect((await service.api("listBackups")).backups).toHaveLength(1);
    expect(await phasesFinished(service, backupCrn)).toEqual([
      "PRE_VALIDATION",
      "SAVING_OBJECTS",
      "CREATING_SNAPSHOTS",
    ]);
    expect(await scene.faults([backupCrn])).toEqual([]);
  });

  await wreckInPlace(scene.cluster);
  const restore = await scene.restore(backupCrn, deaths("restore"));
  await ended("restore", restore, async () => {
    const { warnings, errors } = await restore.service.waitForJob(restore.crn);
    expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
    expect((await restore.service.api("listBackups")).backups).toHaveLength(1);
    expect(await phasesFinished(restore.service, restore.crn)).toEqual([
      "PRE_VALIDATION",
      "STOPPING_APPS",
      "DELETING_OBJECTS",
      "DELETING_OBJECTS_PVC",
      "RESTORING_PVC",
      "RESTORING_OBJECTS",
      "STARTING_APPS",
    ]);
    expect(await scene.faults([backupCrn])).toEqual([]);
  });

  const deletion = await scene.delete(backupCrn, deaths("deletion"));
  await ended("deletion", deletion, async () => {
    expect((await deletion.service.api("listBackups")).backups).toEqual([]);
    expect((await deletion.service.api("listRestores")).restores).toEqual([]);
    expect(await scene.leftovers([])).toEqual([]);
  });

  async function ended(kind: JobKind, survivor: Survivor, check: () => Promise<void>): Promise<void> {
    try {
      onEnd?.(kind, survivor);
      await check();
    } catch (error) {
      const died = survivor.died.map((death) => ("at" in death ? death.at : `after ${death.afterMs} ms`));
      throw new Error(`the ${kind} died ${died.length} times: ${died.join("; ") || "never"}`, { cause: error });
    }
  }
}

/** A phase that ran again after a death is finished once all the same. */
async function phasesFinished(service: TestService, crn: string): Promise<readonly string[]> {
  const { logs } = (await service.api("getLogs", { crn })) as { logs: string };
  return [...logs.matchAll(/ (\w+) phase finished after/g)].map(([, phase]) => phase!);
}
