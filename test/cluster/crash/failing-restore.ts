import type { CrashScene } from "./crash-scene.ts";
import type { Death } from "./deaths.ts";

/** Where the first process of a failing restore dies. */
export const failing = { at: "restore FAIL: start" };

/**
 * A restore whose applications do not start, as the node takes none of their pods. The first process sees that and dies; the
 * node takes pods again from those after it, which go back, through further deaths.
 */
export async function restoreThatFails(
  scene: CrashScene,
  backupCrn: string,
  deaths: readonly Death[] = [],
): ReturnType<CrashScene["restore"]> {
  const { kubectl } = scene.cluster;
  await kubectl("cordon", "node-0");
  try {
    return await scene.restore(backupCrn, [failing, ...deaths], {
      flags: (process) => (process === 0 ? ["--apps-start-timeout=1s"] : []),
      onDeath: async () => void (await kubectl("uncordon", "node-0")),
    });
  } finally {
    await kubectl("uncordon", "node-0");
  }
}
