import type { Auth } from "./cluster-auth.ts";
import type {
  Backup,
  BackupSummary,
  Caller,
  JobCount,
  JobState,
  Page,
  PageRequest,
  Restore,
  RestorePlan,
  RestoreSummary,
} from "./model.ts";

export interface BackupFilter {
  readonly backupName: string;
  readonly jobStates: readonly JobState[];
}

export interface RestoreFilter {
  readonly backupCrn: string;
  readonly jobStates: readonly JobState[];
}

export interface RestoreRequest extends Partial<RestorePlan> {
  readonly backupCrn: string;
  readonly caller: Caller;
}

export interface RepositoryState {
  /** When it was found whole last, as far as it was read; undefined when it was not yet. */
  readonly checkedAt: Date | undefined;
  readonly isDamaged: boolean;
}

/**
 * The service's operations. Every one throws `DrsError` and nothing else on purpose.
 *
 * CRNs are checked here: a text that is no CRN, or a CRN of another type, is INVALID_ARGUMENT; one that names nothing is
 * NOT_FOUND.
 */
export interface Engine {
  /**
   * Records a backup and answers at once; the job runs on its own.
   *
   * An empty `itemName` means the control plane. A name that is no entity is INVALID_ARGUMENT and lists those that exist.
   * RESOURCE_EXHAUSTED, with nothing recorded, when as many jobs wait as may; so do the other two calls that record one.
   * A client's retry returns the first one's CRN: same caller, same arguments, and either the same request id, while
   * the first one is not finished or within a day, or less than a minute ago and the first one has not started. A request id
   * used for something else is no retry: proxies give one id to many requests.
   */
  createBackup(request: { backupName: string; itemName: string; caller: Caller }): Promise<string>;
  /**
   * Records a restore and answers at once with its CRN. Retries are recognised as for `createBackup`, by the plan too. Of a
   * plan that is not given all of the backup becomes as it was saved. INVALID_ARGUMENT for a plan that does not fit the backup.
   */
  restoreBackup(request: RestoreRequest): Promise<string>;
  /**
   * Records the removal of what a scratch restore has made, and answers at once with the CRN of the job, which is a restore's.
   * INVALID_ARGUMENT for another restore, FAILED_PRECONDITION for one that is not over.
   */
  removeScratch(request: { restoreCrn: string; caller: Caller }): Promise<string>;
  /**
   * Records a deletion and answers at once with its CRN; an unfinished deletion of the same backup is returned again. The
   * backup is TERMINATING until a deletion succeeds. One that has not started is taken out of the queue at once; one that
   * is running, or is being restored, is FAILED_PRECONDITION.
   */
  deleteBackup(request: { backupCrn: string; caller: Caller }): Promise<string>;
  /**
   * Cancels a backup, a restore or a deletion, which ends FAILED and says so. One that waits ends at once. A backup that runs
   * stops at its next safe point, and its snapshots and archive are deleted. A restore does that before STOPPING_APPS with nothing
   * touched, and rolls back later on. FAILED_PRECONDITION for a job that is over, or has reached its completion or clean-up,
   * and for a running deletion, which cannot be undone. Cancelling again changes nothing.
   */
  cancelJob(request: { crn: string; caller: Caller }): void;
  describeBackup(backupCrn: string): Backup;
  describeRestore(restoreCrn: string): Restore;
  /**
   * A page of the backups, newest first. An empty name and an empty list of states filter nothing. A negative page size
   * and a token that does not come from this list are INVALID_ARGUMENT.
   */
  listBackups(request: BackupFilter & PageRequest): Page<BackupSummary>;
  /** A page of the restores, like `listBackups`. An empty CRN and an empty list of states filter nothing. */
  listRestores(request: RestoreFilter & PageRequest): Page<RestoreSummary>;
  /** The control plane's namespace and the vault's, those of them that exist. UNAVAILABLE when the cluster is. */
  listBackupEntities(): Promise<readonly string[]>;
  /**
   * The log of a backup, restore or deletion, one line an event, at most 3 MiB. That of a deletion whose backup is gone is
   * kept for 30 days; of more than 1,000 deletions the oldest for a day.
   */
  getLogs(crn: string): string;
  /** The cluster's knowledge of callers. */
  readonly auth: Auth;
  /** How many jobs there are, for monitoring: one entry for each kind, state and item that has any. */
  countJobs(): readonly JobCount[];
  /** How many volumes of backups are not copied to the repository, as far as their copies have begun; 0 when copies are off. */
  countUncopiedVolumes(): number;
  /** The state of the repository of copies, as the last checks have found it. */
  repositoryState(): RepositoryState;
  /** Whether jobs can be accepted: the database answers. */
  isHealthy(): boolean;
  /** Stops taking jobs and waits for running ones to reach a point where the next start continues. */
  close(): Promise<void>;
}
