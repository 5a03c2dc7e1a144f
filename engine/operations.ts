import type { Access } from "./access.ts";
import type { CrnConfig } from "./config.ts";
import { makeCrn, parseCrn } from "./crn.ts";
import type { CrnType } from "./crn.ts";
import type { BackupFilter, Engine, RestoreFilter } from "./engine.ts";
import { DrsError } from "./errors.ts";
import { KeptAnswers } from "./kept-answers.ts";
import { renderLog } from "./jobs/job-log.ts";
import { type ParameterFlags, parametersFrom } from "./jobs/parameters.ts";
import type { Backup, BackupSummary, Caller, JobCount, Page, PageRequest, Restore, RestoreSummary } from "./model.ts";
import { faultOfName } from "./name-check.ts";
import { nextToken, pageLimit, pageStart } from "./paging.ts";
import type { JobRecord, ListedJob, NewJob } from "./store/job-record.ts";
import type { JobFilter, Repeat } from "./store/job-store.ts";
import type { MessageRecord } from "./store/message-store.ts";
import type { Store } from "./store/store.ts";
import { backupSummary, backupView, restoreSummary, restoreView } from "./views.ts";

export interface OperationsParts {
  readonly store: Store;
  /** Called after a job was recorded. */
  readonly wakeRunner: () => void;
  readonly clock: () => Date;
  readonly crn: CrnConfig;
  /** What the jobs that are recorded are asked to do, beside what their callers say. */
  readonly flags: ParameterFlags;
  readonly excludedResources: readonly string[];
  readonly access: Access;
  /** How many jobs may wait. */
  readonly queuedJobs: number;
  listEntities(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Within this time, in milliseconds, a job like one that has not started is a client's retry. */
const retryWindow = 60_000;

/** For so long, in milliseconds, a request's id is remembered: clients retry within minutes, and ids come again some day. */
const requestIdLife = 24 * 3_600_000;

/** What differs between the kinds when a job is recorded. */
type Wanted = Pick<NewJob, "kind" | "displayName" | "requestedName" | "entity" | "itemName" | "includedNamespaces"> & {
  /** Empty for a backup, which is its own. */
  readonly backupCrn: string;
  readonly caller: Caller;
};

const crnTypeOf = { backup: "backup", restore: "restore", deletion: "deleteBackup" } as const satisfies Record<
  NewJob["kind"],
  CrnType
>;
const namePrefixOf = { backup: "backup", restore: "restore", deletion: "delete" } as const;

/** The service's operations on the bookkeeping: each is one transaction, then the runner is woken. See `Engine`. */
export class Operations implements Engine {
  readonly #parts: OperationsParts;
  readonly #store: Store;
  readonly #answers: KeptAnswers;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
    this.#store = parts.store;
    this.#answers = new KeptAnswers(parts.store.database);
  }

  async createBackup(request: { backupName: string; itemName: string; caller: Caller }): Promise<string> {
    const { backupName: requestedName, caller } = request;
    const entity = this.#parts.flags.controlPlane.namespace;
    const itemName = request.itemName === entity ? "" : request.itemName;
    checkName(requestedName, "the backup's name");
    checkName(itemName, "the item's name");
    const repeat: Repeat = { kind: "backup", requestedName, itemName, backupCrn: "", caller };
    // Before the cluster is asked: a retry is answered even while the cluster cannot be reached.
    const first = this.#findRepeated(repeat);
    if (first !== undefined) return first.crn;
    if (itemName !== "") await this.#checkEntity(itemName);
    return this.#record(() => {
      const first = this.#findRepeated(repeat);
      if (first !== undefined) return first;
      const displayName = requestedName === "" ? nameFromTime(this.#parts.clock()) : requestedName;
      const includedNamespaces = [itemName === "" ? entity : itemName];
      return this.#enqueue({ ...repeat, displayName, entity, includedNamespaces });
    });
  }

  async restoreBackup({ backupCrn, caller }: { backupCrn: string; caller: Caller }): Promise<string> {
    parseCrn(backupCrn, "backup");
    return this.#record(() => {
      const { entity, itemName, includedNamespaces, state } = this.#get(backupCrn);
      const repeat: Repeat = { kind: "restore", requestedName: "", itemName, backupCrn, caller };
      const first = this.#findRepeated(repeat);
      if (first !== undefined) return first;
      if (state !== "COMPLETED" && state !== "PARTIALLY_FAILED") {
        throw new DrsError(
          "FAILED_PRECONDITION",
          `backup ${backupCrn} is ${state}: only a COMPLETED or PARTIALLY_FAILED one can be restored`,
        );
      }
      return this.#enqueue({ ...repeat, displayName: "", entity, includedNamespaces });
    });
  }

  async deleteBackup({ backupCrn, caller }: { backupCrn: string; caller: Caller }): Promise<string> {
    parseCrn(backupCrn, "backup");
    return this.#record(() => {
      const { jobs } = this.#store;
      const repeat: Repeat = { kind: "deletion", requestedName: "", itemName: "", backupCrn, caller };
      const first = jobs.findByRequest(repeat, this.#ago(requestIdLife));
      // A deletion that failed is never an answer: this call is how it is repeated.
      if (first !== undefined && first.state !== "FAILED") return first;
      const backup = this.#get(backupCrn);
      const unfinished = jobs.unfinished(backupCrn);
      const deletion = unfinished.find(({ kind }) => kind === "deletion");
      if (deletion !== undefined) return deletion;
      const wanted = { ...repeat, displayName: "", entity: backup.entity, includedNamespaces: [] };
      if (backup.state === "NOT_STARTED") return this.#cancel(backup, wanted);
      const user = unfinished[0];
      if (user !== undefined) {
        throw new DrsError(
          "FAILED_PRECONDITION",
          `${user.kind} ${user.crn} is ${user.state} in phase ${user.phase}: delete the backup when it has finished`,
        );
      }
      jobs.terminate(backupCrn, this.#parts.clock());
      return this.#enqueue(wanted);
    });
  }

  describeBackup(backupCrn: string): Backup {
    parseCrn(backupCrn, "backup");
    return this.#describe(backupCrn, backupView);
  }

  describeRestore(restoreCrn: string): Restore {
    parseCrn(restoreCrn, "restore");
    return this.#describe(restoreCrn, (job, messages) => restoreView(job, this.#parts.excludedResources, messages));
  }

  listBackups({
    backupName: displayName,
    jobStates: states,
    ...page
  }: BackupFilter & PageRequest): Page<BackupSummary> {
    checkName(displayName, "the backup's name");
    return this.#list({ kind: "backup", displayName, backupCrn: "", states }, page, backupSummary);
  }

  listRestores({ backupCrn, jobStates: states, ...page }: RestoreFilter & PageRequest): Page<RestoreSummary> {
    if (backupCrn !== "") parseCrn(backupCrn, "backup");
    return this.#list({ kind: "restore", displayName: "", backupCrn, states }, page, restoreSummary);
  }

  listBackupEntities(): Promise<readonly string[]> {
    return this.#parts.listEntities();
  }

  getLogs(crn: string): string {
    parseCrn(crn);
    return renderLog(this.#store.logs, this.#get(crn).seq);
  }

  get access(): Access {
    return this.#parts.access;
  }

  countJobs(): readonly JobCount[] {
    return this.#store.jobs.counts();
  }

  isHealthy(): boolean {
    return this.#store.database.isHealthy();
  }

  close(): Promise<void> {
    return this.#parts.close();
  }

  #get(crn: string): JobRecord {
    const job = this.#store.jobs.get(crn);
    if (job === undefined) throw new DrsError("NOT_FOUND", `there is no ${parseCrn(crn).type} ${crn}`);
    return job;
  }

  #describe<View extends Backup | Restore>(
    crn: string,
    view: (job: JobRecord, messages: MessageRecord[]) => View,
  ): View {
    const read = () => {
      const job = this.#get(crn);
      return view(job, this.#store.messages.list(job.seq));
    };
    return this.#answers.get(crn, read, ({ warnings, errors }) => warnings.length + errors.length);
  }

  #list<Item>(filter: JobFilter, page: PageRequest, view: (job: ListedJob) => Item): Page<Item> {
    const limit = pageLimit(page);
    const read = () => {
      // One more tells whether there is a next page.
      const jobs = this.#store.jobs.list(filter, { after: pageStart(page, filter), limit: limit + 1 });
      const items = jobs.slice(0, limit).map(view);
      const last = jobs[limit - 1];
      return jobs.length > limit && last ? { items, nextToken: nextToken(last, filter) } : { items };
    };
    return this.#answers.get(JSON.stringify([filter, page]), read, ({ items }) => items.length);
  }

  #findRepeated(repeat: Repeat): JobRecord | undefined {
    const { jobs } = this.#store;
    return jobs.findByRequest(repeat, this.#ago(requestIdLife)) ?? jobs.findWaiting(repeat, this.#ago(retryWindow));
  }

  #ago(milliseconds: number): Date {
    return new Date(this.#parts.clock().getTime() - milliseconds);
  }

  async #checkEntity(name: string): Promise<void> {
    const entities = await this.#parts.listEntities();
    if (entities.includes(name)) return;
    const known = entities.length === 0 ? "there are none" : `there are ${entities.join(", ")}`;
    throw new DrsError("INVALID_ARGUMENT", `item ${JSON.stringify(name.slice(0, 100))} is no backup entity: ${known}`);
  }

  #record(work: () => JobRecord): string {
    const { crn } = this.#store.database.transaction(work);
    this.#parts.wakeRunner();
    return crn;
  }

  /** Records a job that waits for its turn; part of the transaction that decides on it. */
  #enqueue(wanted: Wanted): JobRecord {
    const { queuedJobs } = this.#parts;
    if (this.#store.queue.length >= queuedJobs) {
      throw new DrsError(
        "RESOURCE_EXHAUSTED",
        `${queuedJobs} jobs wait already: try again when some have finished, or raise --max-queued-jobs`,
      );
    }
    return this.#insert(wanted, { state: "NOT_STARTED", phase: "PENDING" });
  }

  #insert(wanted: Wanted, beginning: Pick<NewJob, "state" | "phase">): JobRecord {
    const crn = makeCrn(crnTypeOf[wanted.kind], this.#parts.crn);
    const now = this.#parts.clock();
    const parameters = parametersFrom(wanted.itemName, this.#parts.flags)[wanted.kind];
    const job = this.#store.jobs.insert({
      ...wanted,
      ...beginning,
      crn,
      name: `${namePrefixOf[wanted.kind]}-${parseCrn(crn).uuid}`,
      backupCrn: wanted.kind === "backup" ? crn : wanted.backupCrn,
      parameters: JSON.stringify(parameters),
      createdAt: now,
      updatedAt: now,
    });
    this.#store.logs.add(job.seq, { time: now, level: "info", phase: "PENDING", text: `${job.kind} accepted` });
    return job;
  }

  /** Takes a backup out of the queue; nothing of it exists yet, so its deletion is over at once. */
  #cancel(backup: JobRecord, wanted: Wanted): JobRecord {
    this.#store.jobs.removeWaiting(backup.crn);
    const job = this.#insert(wanted, { state: "COMPLETED", phase: "FINISHED" });
    const text = "the backup had not started: it was taken out of the queue, and there was nothing to remove";
    this.#store.logs.add(job.seq, { time: job.createdAt, level: "info", phase: "FINISHED", text });
    return job;
  }
}

function checkName(text: string, what: string): void {
  const fault = faultOfName(text);
  if (fault !== undefined) throw new DrsError("INVALID_ARGUMENT", `${what} ${fault}`);
}

/** `backup-20261123-201507`, in UTC. */
function nameFromTime(time: Date): string {
  const digits = time.toISOString().replaceAll(/[-:]/g, "");
  return `backup-${digits.slice(0, 8)}-${digits.slice(9, 15)}`;
}
