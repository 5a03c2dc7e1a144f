import { isDeepStrictEqual } from "node:util";
import type { Auth } from "../cluster-auth.ts";
import { parseCrn } from "../crn.ts";
import type { BackupFilter, Engine, RepositoryState, RestoreFilter, RestoreRequest } from "../engine.ts";
import { DrsError } from "../errors.ts";
import { KeptAnswers } from "./kept-answers.ts";
import type { Intake, Wanted } from "../jobs/intake.ts";
import { wholeInPlace } from "../jobs/parameters.ts";
import { renderLog } from "../jobs/job-log.ts";
import type {
  Backup,
  BackupSummary,
  Caller,
  JobCount,
  Page,
  PageRequest,
  Restore,
  RestorePlan,
  RestoreSummary,
} from "../model.ts";
import { faultOfName } from "../name-check.ts";
import { messagesOfCopy } from "./messages-of-copy.ts";
import { damagesOf, repositoryState } from "./state-of-repository.ts";
import { nextToken, pageLimit, pageStart } from "./paging.ts";
import { checkedPlan } from "../restore/plan/checked-plan.ts";
import { namespacesOf } from "../restore/source/scope.ts";
import type { JobRecord, ListedJob } from "../store/job-record.ts";
import type { JobFilter, Repeat } from "../store/job-store.ts";
import type { MessageRecord } from "../store/message-store.ts";
import type { Store } from "../store/store.ts";
import { backupSummary, backupView, restoreSummary, restoreView } from "./views.ts";

export interface OperationsDeps {
  readonly store: Store;
  readonly intake: Intake;
  /** Cancels a job that waits or runs a phase; part of the transaction that has found it so. */
  readonly cancel: (job: JobRecord, caller: Caller) => void;
  /** Called after a job was cancelled. */
  readonly stopCancelled: (crn: string) => void;
  /** The control plane's main namespace. */
  readonly controlPlane: string;
  readonly clock: () => Date;
  readonly excludedResources: readonly string[];
  readonly auth: Auth;
  listEntities(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The caller of the API. */
const origin = "caller";

const takenOut = "the backup had not started: it was taken out of the queue, and there was nothing to remove";

/** The service's operations on the bookkeeping: each is one transaction, then the runner is woken. See `Engine`. */
export class Operations implements Engine {
  readonly #deps: OperationsDeps;
  readonly #store: Store;
  readonly #intake: Intake;
  readonly #answers: KeptAnswers;

  constructor(deps: OperationsDeps) {
    this.#deps = deps;
    this.#store = deps.store;
    this.#intake = deps.intake;
    this.#answers = new KeptAnswers(deps.store.database);
  }

  async createBackup(request: { backupName: string; itemName: string; caller: Caller }): Promise<string> {
    const { backupName: requestedName, caller } = request;
    const entity = this.#deps.controlPlane;
    const itemName = request.itemName === entity ? "" : request.itemName;
    checkName(requestedName, "the backup's name");
    checkName(itemName, "the item's name");
    const repeat: Repeat = { kind: "backup", requestedName, itemName, backupCrn: "", caller };
    // Before the cluster is asked: a retry is answered even while the cluster cannot be reached.
    const first = this.#intake.findRepeated(repeat);
    if (first !== undefined) return first.crn;
    if (itemName !== "") await this.#checkEntity(itemName);
    return this.#intake.record(() => {
      const first = this.#intake.findRepeated(repeat);
      if (first !== undefined) return first;
      const displayName = requestedName === "" ? nameFromTime(this.#deps.clock()) : requestedName;
      const includedNamespaces = [itemName === "" ? entity : itemName];
      return this.#intake.enqueue({ ...repeat, origin, displayName, entity, includedNamespaces });
    });
  }

  async restoreBackup({ backupCrn, caller, ...asked }: RestoreRequest): Promise<string> {
    parseCrn(backupCrn, "backup");
    return this.#intake.record(() => {
      const { entity, itemName, includedNamespaces, state } = this.#get(backupCrn);
      const repeat: Repeat = { kind: "restore", requestedName: "", itemName, backupCrn, caller };
      const plan = checkedPlan(asked, includedNamespaces);
      const first = this.#intake.findRepeated(repeat);
      if (first !== undefined && isPlanOf(first, plan)) return first;
      if (state !== "COMPLETED" && state !== "PARTIALLY_FAILED") {
        throw new DrsError(
          "FAILED_PRECONDITION",
          `backup ${backupCrn} is ${state}: only a COMPLETED or PARTIALLY_FAILED one can be restored`,
          { id: "DRS-C020" },
        );
      }
      const includes = namespacesOf(includedNamespaces, plan.selection);
      return this.#intake.enqueue({ ...repeat, origin, displayName: "", entity, includedNamespaces: includes, plan });
    });
  }

  async removeScratch({ restoreCrn, caller }: { restoreCrn: string; caller: Caller }): Promise<string> {
    parseCrn(restoreCrn, "restore");
    return this.#intake.record(() => {
      const { backupCrn, entity, itemName, state, parameters } = this.#get(restoreCrn);
      const { plan } = JSON.parse(parameters ?? "{}") as { plan?: RestorePlan };
      if (plan?.mode !== "scratch")
        throw new DrsError(
          "INVALID_ARGUMENT",
          `restore ${restoreCrn} is not a scratch restore: it has nothing to remove`,
        );
      if (state === "NOT_STARTED" || state === "IN_PROGRESS")
        throw new DrsError("FAILED_PRECONDITION", `restore ${restoreCrn} is ${state}: cancel it, or wait for its end`, {
          id: "DRS-C021",
        });
      const removal: RestorePlan = { ...plan, mode: "remove-scratch", scratchCrn: restoreCrn };
      const repeat: Repeat = { kind: "restore", requestedName: "", itemName, backupCrn, caller };
      const first = this.#intake.findRepeated(repeat);
      if (first !== undefined && isPlanOf(first, removal)) return first;
      const includedNamespaces = Object.values(plan.mapping);
      return this.#intake.enqueue({ ...repeat, origin, displayName: "", entity, includedNamespaces, plan: removal });
    });
  }

  async deleteBackup({ backupCrn, caller }: { backupCrn: string; caller: Caller }): Promise<string> {
    parseCrn(backupCrn, "backup");
    return this.#intake.record(() => {
      const { jobs } = this.#store;
      const repeat: Repeat = { kind: "deletion", requestedName: "", itemName: "", backupCrn, caller };
      const first = this.#intake.findByRequest(repeat);
      // A deletion that failed is never an answer: this call is how it is repeated.
      if (first !== undefined && first.state !== "FAILED") return first;
      const backup = this.#get(backupCrn);
      for (const { crn, kind, state } of jobs.unfinished(backupCrn))
        if (kind === "copy" && state === "NOT_STARTED") jobs.removeWaiting(crn); // nothing of it exists yet
      const unfinished = jobs.unfinished(backupCrn);
      const deletion = unfinished.find(({ kind }) => kind === "deletion");
      if (deletion !== undefined) return deletion;
      const wanted: Wanted = { ...repeat, origin, displayName: "", entity: backup.entity, includedNamespaces: [] };
      if (backup.state === "NOT_STARTED") {
        jobs.removeWaiting(backupCrn); // nothing of it exists yet
        return this.#intake.recordFinished(wanted, takenOut);
      }
      const user = unfinished[0];
      if (user !== undefined) {
        throw new DrsError(
          "FAILED_PRECONDITION",
          `${user.kind} ${user.crn} is ${user.state} in phase ${user.phase}: delete the backup when it has finished`,
          { id: "DRS-C022" },
        );
      }
      jobs.terminate(backupCrn, this.#deps.clock());
      return this.#intake.enqueue(wanted);
    });
  }

  cancelJob({ crn, caller }: { crn: string; caller: Caller }): void {
    parseCrn(crn);
    this.#store.database.transaction(() => {
      const job = this.#get(crn);
      const why = whyNotCancelled(job);
      if (why !== undefined)
        throw new DrsError("FAILED_PRECONDITION", `${job.kind} ${crn} cannot be cancelled: ${why}`, { id: "DRS-C023" });
      this.#deps.cancel(job, caller);
    });
    this.#deps.stopCancelled(crn);
  }

  describeBackup(backupCrn: string): Backup {
    parseCrn(backupCrn, "backup");
    return this.#describe(backupCrn, (job, messages) =>
      backupView(job, messages, [...messagesOfCopy(this.#store, backupCrn), ...damagesOf(this.#store, backupCrn)]),
    );
  }

  describeRestore(restoreCrn: string): Restore {
    parseCrn(restoreCrn, "restore");
    return this.#describe(restoreCrn, (job, messages) => restoreView(job, this.#deps.excludedResources, messages));
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
    return this.#deps.listEntities();
  }

  getLogs(crn: string): string {
    parseCrn(crn);
    return renderLog(this.#store.logs, this.#get(crn).seq);
  }

  get auth(): Auth {
    return this.#deps.auth;
  }

  countJobs(): readonly JobCount[] {
    return this.#store.jobs.counts();
  }

  countUncopiedVolumes(): number {
    return this.#store.copies.uncopiedVolumes();
  }

  repositoryState(): RepositoryState {
    return repositoryState(this.#store);
  }

  isHealthy(): boolean {
    return this.#store.database.isHealthy();
  }

  close(): Promise<void> {
    return this.#deps.close();
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
      // One more shows whether there is a next page.
      const jobs = this.#store.jobs.list(filter, { after: pageStart(page, filter), limit: limit + 1 });
      const items = jobs.slice(0, limit).map(view);
      const last = jobs[limit - 1];
      return jobs.length > limit && last ? { items, nextToken: nextToken(last, filter) } : { items };
    };
    return this.#answers.get(JSON.stringify([filter, page]), read, ({ items }) => items.length);
  }

  async #checkEntity(name: string): Promise<void> {
    const entities = await this.#deps.listEntities();
    if (entities.includes(name)) return;
    const known = entities.length === 0 ? "there are none" : `there are ${entities.join(", ")}`;
    throw new DrsError(
      "INVALID_ARGUMENT",
      `item ${JSON.stringify(name.slice(0, 100))} is not a backup entity: ${known}`,
    );
  }
}

/** Whether a restore was recorded with this plan. */
function isPlanOf({ parameters }: JobRecord, plan: RestorePlan): boolean {
  const recorded = JSON.parse(parameters ?? "{}") as { plan?: RestorePlan };
  return isDeepStrictEqual(recorded.plan ?? wholeInPlace, plan);
}

function whyNotCancelled({ kind, state, step }: JobRecord): string | undefined {
  if (state === "NOT_STARTED") return undefined;
  if (state !== "IN_PROGRESS") return `it is ${state}`;
  if (kind === "deletion") return "it has begun, and what it has deleted is gone";
  if (step === "FAIL") return "it has failed, and is being cleaned up";
  return step === "FINISH" ? "it is being completed" : undefined;
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
