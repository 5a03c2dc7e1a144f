import { createHash } from "node:crypto";
import type { Program, ProgramState } from "../../../simulator/programs.ts";
import { presence } from "../../../engine/copy/movers/mover-scripts.ts";

export interface ResticSnapshot {
  readonly id: string;
  readonly host: string;
  readonly path: string;
  /** Its URL. */
  readonly repository: string;
  readonly tags: readonly string[];
  readonly files: ReadonlyMap<string, Buffer>;
}

/** What the movers' scripts do, with a repository in memory. */
export class SimulatedRestic {
  isThere = false;
  snapshots: readonly ResticSnapshot[] = [];
  /** What a backup of a path ends with instead; a state without an exit code is one of a mover that still runs. */
  readonly instead = new Map<string, ProgramState>();
  /** What was checked, by the arguments, and pruned. */
  readonly upkeeps: string[] = [];
  /** What the next checks end with instead. */
  check: ProgramState | undefined;
  /** What a look at copies ends with instead. */
  look: ProgramState | undefined;
  /** What a look at a snapshot finds. */
  readonly damaged = new Map<string, string>();

  readonly program: Program = ({ spec }, volumes) => {
    const { script, args } = commandOf(spec ?? {});
    const [first, ...others] = args;
    if (first === presence(true) && !this.isThere) return { exitCode: 10, log: [] };
    if (script.includes("restic init")) return this.#prepare();
    if (script.includes("restic forget")) return this.#forget(others);
    if (script.includes("restic check")) return this.#look(`check ${others.join(" ")}`);
    if (script.includes("restic prune")) return this.#prune();
    if (script.includes("restic stats")) return this.look ?? this.#lookAt(args);
    if (script.includes("restic restore")) return this.#restore(args, volumes.get("data") ?? new Map());
    const path = args.at(-1) ?? "";
    const backup = { args, path, repository: repositoryOf(spec ?? {}) };
    return this.instead.get(path) ?? this.#backup(backup, volumes.get("data") ?? new Map());
  };

  #prepare(): ProgramState {
    this.isThere = true;
    return { exitCode: 0, log: ['{"message_type":"initialized"}'] };
  }

  #look(what: string): ProgramState {
    if (this.check?.exitCode !== undefined || this.check === undefined) this.upkeeps.push(what);
    const summary = '{"message_type":"summary","num_errors":0,"broken_packs":null}';
    return this.check ?? { exitCode: 0, log: [summary] };
  }

  #prune(): ProgramState {
    this.upkeeps.push("prune");
    return { exitCode: 0, log: ["total prune:         3 blobs / 1.2 MiB", "done"] };
  }

  #forget([, tag = ""]: readonly string[]): ProgramState {
    this.snapshots = this.snapshots.filter(({ tags }) => !tags.includes(tag));
    return { exitCode: 0, log: ["[]"] };
  }

  #lookAt(args: readonly string[]): ProgramState {
    const asked = args.filter((_, index) => index % 2 === 0);
    const faults = asked.flatMap((snapshot) => {
      const message =
        this.damaged.get(snapshot) ??
        (this.snapshots.some(({ id }) => id === snapshot)
          ? undefined
          : `Fatal: failed to find snapshot: no matching ID found for prefix ${snapshot}`);
      return message === undefined ? [] : [JSON.stringify({ message_type: "fault", snapshot, message })];
    });
    return { exitCode: 0, log: [...faults, JSON.stringify({ message_type: "checked", faults: faults.length })] };
  }

  #restore([id = ""]: readonly string[], files: Map<string, Buffer>): ProgramState {
    const other = this.instead.get(id);
    if (other) return other;
    const snapshot = this.snapshots.find((one) => one.id === id);
    if (!snapshot) {
      const message = `Fatal: failed to find snapshot: no matching ID found for prefix "${id}"`;
      return { exitCode: 1, log: [JSON.stringify({ message_type: "exit_error", code: 1, message })] };
    }
    for (const [path, bytes] of snapshot.files) files.set(path, bytes);
    return { exitCode: 0, log: ['{"message_type":"summary","total_files":1,"files_restored":1}'] };
  }

  #backup(
    {
      args,
      path,
      repository,
    }: { readonly args: readonly string[]; readonly path: string; readonly repository: string },
    files: ReadonlyMap<string, Buffer>,
  ): ProgramState {
    if (!this.isThere) return { exitCode: 10, log: [] };
    const after = (flag: string) => args.filter((_, index) => args[index - 1] === flag);
    const id = createHash("sha256").update(`${args.join()} ${this.snapshots.length}`).digest("hex");
    const snapshot = {
      id,
      repository,
      host: after("--host").join(),
      path,
      tags: after("--tag"),
      files: new Map(files),
    };
    this.snapshots = [...this.snapshots, snapshot];
    const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    const summary = {
      message_type: "summary",
      total_files_processed: files.size,
      total_bytes_processed: bytes,
      data_added_packed: bytes,
      snapshot_id: id,
    };
    return { exitCode: 0, log: ['{"message_type":"status","percent_done":1}', JSON.stringify(summary)] };
  }
}

function commandOf(spec: object): { readonly script: string; readonly args: readonly string[] } {
  const { containers = [] } = spec as { containers?: readonly { command?: readonly string[] }[] };
  const [, , script = "", , ...args] = containers[0]?.command ?? [];
  return { script, args };
}

function repositoryOf(spec: object): string {
  const { containers = [] } = spec as { containers?: readonly { env?: readonly { name: string; value: string }[] }[] };
  return containers[0]?.env?.find(({ name }) => name === "RESTIC_REPOSITORY")?.value ?? "";
}
