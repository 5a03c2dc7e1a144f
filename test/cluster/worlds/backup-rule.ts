import { type Copies, isNamed, type RestoreOutcome } from "./rule.ts";
import type { State } from "./state.ts";

/**
 * Every object of the namespaces, and the data of every claim with files, is in the backup, or a message of the backup names
 * what is not. Gives a line for each breach.
 */
export function backupBreaches(
  { objects, volumeOf, volumes }: State,
  { inBackup, snapshots }: Pick<Copies, "inBackup" | "snapshots">,
  outcome: Pick<RestoreOutcome, "messages">,
): readonly string[] {
  const unsaved = [...objects].filter(
    ([key, { metadata }]) => metadata.namespace !== undefined && !inBackup.has(key) && !isNamed(outcome, key),
  );
  const withoutData = [...volumeOf].filter(([claim, volume]) => {
    const hasFiles = (volumes.get(volume)?.files.size ?? 0) > 0;
    return hasFiles && !snapshots.has(claim) && !isNamed(outcome, `PersistentVolumeClaim ${claim}`);
  });
  return [
    ...unsaved.map(([key]) => `not in the backup, and not named: ${key}`),
    ...withoutData.map(([claim]) => `the data of ${claim} is not in the backup, and that is not said`),
  ];
}
