import type { Auth } from "../../engine/cluster-auth.ts";
import { DrsError } from "../../engine/errors.ts";
import type { Engine, RepositoryState } from "../../engine/engine.ts";
import type { Backup, Caller, JobCount, Page, PageRequest, Restore } from "../../engine/model.ts";

const account = "crn:altus:drs:us-west-1:00000000-0000-0000-0000-000000000000";

/** CRNs as the fake makes them; the number is the order of making. */
export function crn(type: "backup" | "restore" | "deleteBackup", number: number): string {
  return `${account}:${type}:00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

/**
 * An engine without a cluster: its jobs are over at once. For what the server does with requests and replies; the real
 * engine's tests are elsewhere.
 */
export class FakeEngine implements Engine {
  readonly backups: Backup[] = [];
  readonly restores: Restore[] = [];
  readonly callers: Caller[] = [];
  healthy = true;
  auth: Auth = { authenticateToken: async () => undefined, isAllowed: async () => false };
  #made = 0;
  logs = "2026-11-23T17:29:44.000Z INFO PRE_VALIDATION phase started\n";
  /** Thrown by the next call of `listBackupEntities`. */
  failure: Error | undefined;
  /** What `listBackupEntities` waits for. */
  pause: Promise<void> | undefined;

  async createBackup(request: { backupName: string; itemName: string; caller: Caller }): Promise<string> {
    this.callers.push(request.caller);
    if (request.itemName !== "" && request.itemName !== "cdp") {
      throw new DrsError("INVALID_ARGUMENT", `itemName: no entity ${request.itemName}; there are cdp, vault-system`);
    }
    const number = ++this.#made;
    const at = new Date(Date.UTC(2026, 10, 23, 17, 29, number));
    const backup: Backup = {
      crn: crn("backup", number),
      name: request.backupName || `backup-${number}`,
      job: `backup-job-${number}`,
      state: "PARTIALLY_FAILED",
      phase: "FINISHED",
      includedNamespaces: ["cdp", "vault-system"],
      createdAt: at,
      updatedAt: at,
      warnings: [{ namespace: "cdp", text: "claim data has no snapshot class", timestamp: at }],
      errors: [],
    };
    this.backups.unshift(backup);
    return backup.crn;
  }

  async restoreBackup(request: { backupCrn: string; caller: Caller }): Promise<string> {
    this.callers.push(request.caller);
    const backup = this.describeBackup(request.backupCrn);
    const number = ++this.#made;
    const at = new Date(Date.UTC(2026, 10, 24, 0, 0, number));
    const restore: Restore = {
      crn: crn("restore", number),
      backupCrn: backup.crn,
      job: `restore-job-${number}`,
      state: "COMPLETED",
      phase: "FINISHED",
      includedNamespaces: backup.includedNamespaces,
      excludedResources: ["events"],
      successConditions: ["every claim that was bound is bound"],
      createdAt: at,
      updatedAt: at,
      warnings: [],
      errors: [],
    };
    this.restores.unshift(restore);
    return restore.crn;
  }

  async deleteBackup(request: { backupCrn: string; caller: Caller }): Promise<string> {
    this.callers.push(request.caller);
    const index = this.backups.indexOf(this.describeBackup(request.backupCrn));
    this.backups.splice(index, 1);
    return crn("deleteBackup", ++this.#made);
  }

  async removeScratch({ restoreCrn }: { restoreCrn: string }): Promise<string> {
    throw new DrsError("INVALID_ARGUMENT", `${restoreCrn} is not a scratch restore`);
  }

  cancelJob({ crn: job }: { crn: string }): void {
    throw new DrsError("FAILED_PRECONDITION", `${job} cannot be cancelled: it is over`, { id: "DRS-C023" });
  }

  describeBackup(backupCrn: string): Backup {
    const backup = this.backups.find((each) => each.crn === backupCrn);
    if (!backup) throw new DrsError("NOT_FOUND", `no backup ${backupCrn}`);
    return backup;
  }

  describeRestore(restoreCrn: string): Restore {
    const restore = this.restores.find((each) => each.crn === restoreCrn);
    if (!restore) throw new DrsError("NOT_FOUND", `no restore ${restoreCrn}`);
    return restore;
  }

  listBackups({ backupName, jobStates, ...request }: Parameters<Engine["listBackups"]>[0]): Page<Backup> {
    const matching = this.backups.filter(
      ({ name, state }) =>
        (backupName === "" || name === backupName) && (jobStates.length === 0 || jobStates.includes(state)),
    );
    return page(matching, request);
  }

  listRestores({ backupCrn, jobStates, ...request }: Parameters<Engine["listRestores"]>[0]): Page<Restore> {
    const matching = this.restores.filter(
      (restore) =>
        (backupCrn === "" || restore.backupCrn === backupCrn) &&
        (jobStates.length === 0 || jobStates.includes(restore.state)),
    );
    return page(matching, request);
  }

  async listBackupEntities(): Promise<readonly string[]> {
    await this.pause;
    if (this.failure) throw this.failure;
    return ["cdp", "vault-system"];
  }

  getLogs(jobCrn: string): string {
    if (jobCrn.includes(":backup:")) this.describeBackup(jobCrn);
    return this.logs;
  }

  countUncopiedVolumes(): number {
    return 0;
  }

  repositoryState(): RepositoryState {
    return { checkedAt: new Date("2026-11-30T10:00:00Z"), isDamaged: false };
  }

  countJobs(): readonly JobCount[] {
    return this.backups.map(({ state, updatedAt }) => ({
      kind: "backup",
      state,
      item: "cdp",
      count: 1,
      lastUpdated: updatedAt,
    }));
  }

  isHealthy(): boolean {
    return this.healthy;
  }

  async close(): Promise<void> {}
}

/** The token is the CRN of the next page's first item. */
function page<Item extends { crn: string }>(
  items: readonly Item[],
  { pageSize, startingToken }: PageRequest,
): Page<Item> {
  const start = startingToken === "" ? 0 : items.findIndex(({ crn }) => crn === startingToken);
  if (start < 0) throw new DrsError("INVALID_ARGUMENT", "startingToken is not a token of this service");
  const end = start + (pageSize || 1_000);
  const next = items[end];
  return { items: items.slice(start, end), ...(next && { nextToken: next.crn }) };
}
