import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import type { JobState } from "../../engine/model.ts";
import { openStore } from "../../engine/store/store.ts";
import { kubeconfig } from "../../test/support/kubeconfig.ts";

export interface ScratchBackup {
  readonly name: string;
  readonly state: JobState;
}

/** A folder for the service's `--data`, with a database that was filled behind its back. */
export class ScratchData {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Records the backups, the oldest first, one a second. */
  static async create(backups: Iterable<ScratchBackup>): Promise<ScratchData> {
    const data = await ScratchData.#empty();
    const store = openStore(data.#database);
    store.database.transaction(() => {
      let time = Date.UTC(2026, 0, 1);
      for (const { name, state } of backups) {
        const uuid = randomUUID();
        const crn = `crn:altus:drs:us-west-1:00000000-0000-0000-0000-000000000000:backup:${uuid}`;
        const createdAt = new Date((time += 1_000));
        const { seq } = store.jobs.insert({
          crn,
          kind: "backup",
          name: `backup-${uuid}`,
          displayName: name,
          requestedName: name,
          backupCrn: crn,
          entity: "cdp",
          itemName: "",
          state,
          phase: phaseOf(state),
          includedNamespaces: ["cdp", "vault-system"],
          caller: { name: "", requestId: "" },
          parameters: null,
          origin: "caller",
          createdAt,
          updatedAt: createdAt,
        });
        const text = "claim data has no snapshot: its driver has no VolumeSnapshotClass";
        if (state === "PARTIALLY_FAILED")
          store.messages.add(seq, { level: "warning", namespace: "cdp", text, time: createdAt });
      }
    });
    store.database.close();
    return data;
  }

  static async #empty(): Promise<ScratchData> {
    const data = new ScratchData(await mkdtemp(join(tmpdir(), "drs-bench-")));
    await data.write("kubeconfig", kubeconfig("https://127.0.0.1:1"));
    return data;
  }

  /** Another folder with the same content. */
  async copy(): Promise<ScratchData> {
    const copy = await ScratchData.#empty();
    await copyFile(this.#database, copy.#database);
    return copy;
  }

  /** The service's flags: this data, a cluster whose API server refuses every connection, and no limit of the load. */
  get flags(): readonly string[] {
    const rate = "--max-requests-per-second=1000000";
    return [`--data=${this.folder}`, `--kubeconfig=${join(this.folder, "kubeconfig")}`, rate];
  }

  /** Adds a file, and gives its path. */
  async write(name: string, content: object): Promise<string> {
    const file = join(this.folder, name);
    await writeFile(file, JSON.stringify(content), { mode: 0o600 });
    return file;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  get #database(): string {
    return join(this.folder, "drs.db");
  }
}

function phaseOf(state: JobState): "PENDING" | "SAVING_OBJECTS" | "FINISHED" {
  if (state === "NOT_STARTED") return "PENDING";
  return state === "IN_PROGRESS" ? "SAVING_OBJECTS" : "FINISHED";
}
