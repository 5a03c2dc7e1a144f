import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { NewJob } from "../../../engine/store/job-record.ts";
import { openStore } from "../../../engine/store/store.ts";
import type { Store } from "../../../engine/store/store.ts";

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "drs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A store on a real file that goes with the test. */
export function temporaryStore(): Store {
  const store = openStore(join(temporaryFolder(), "drs.db"));
  onTestFinished(() => store.database.close());
  return store;
}

/** A CRN whose uuid ends in the number. */
export function crnOf(type: "backup" | "restore" | "deleteBackup", number: number): string {
  return `crn:altus:drs:us-west-1:acme:${type}:00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

/** A waiting backup; `number` makes its CRN, its name and the second it was created in. */
export function newBackup(number: number, more: Partial<NewJob> = {}): NewJob {
  const crn = more.crn ?? crnOf("backup", number);
  const createdAt = new Date(Date.UTC(2026, 0, 1) + number * 1_000);
  return {
    crn,
    kind: "backup",
    name: `job-${crn}`,
    displayName: `Backup ${number}`,
    requestedName: `Backup ${number}`,
    backupCrn: crn,
    entity: "cdp",
    itemName: "",
    state: "NOT_STARTED",
    phase: "PENDING",
    includedNamespaces: [],
    caller: { name: "alice", requestId: "" },
    parameters: null,
    origin: "caller",
    createdAt,
    updatedAt: createdAt,
    ...more,
  };
}
