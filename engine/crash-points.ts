import type { JobKind, JobPhase } from "./model.ts";
import type { ArchiveStorage } from "./storage/archive-storage.ts";

/**
 * The named places where a test kills the process: both sides of every write to the cluster and to the storage, and of
 * every commit that ends a phase. A name says the job, the phase and the step, such as
 * `restore DELETING_OBJECTS_PVC: after DELETE persistentvolumeclaims`.
 */
export class CrashPoints {
  #phase = "no job";
  readonly #onReached: (point: string) => void;

  /** `onReached` is called at each point that the process reaches. */
  constructor(onReached: (point: string) => void = () => {}) {
    this.#onReached = onReached;
  }

  /** Says which phase the following points belong to. */
  enter(kind: JobKind, phase: JobPhase, step: string): void {
    this.#phase = step === "PHASE" ? `${kind} ${phase}` : `${kind} ${step}`;
    this.reached("start");
  }

  reached(what: string): void {
    this.#onReached(`${this.#phase}: ${what}`);
  }

  /** Does something with a point on either side. */
  async around<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.reached(`before ${what}`);
    const result = await work();
    this.reached(`after ${what}`);
    return result;
  }

  /** A storage whose writes and deletions are points. */
  watch(storage: ArchiveStorage): ArchiveStorage {
    return {
      description: storage.description,
      write: (key, content, signal) => this.around(`write ${nameOf(key)}`, () => storage.write(key, content, signal)),
      delete: (key, signal) => this.around(`remove ${nameOf(key)}`, () => storage.delete(key, signal)),
      read: (key, signal) => storage.read(key, signal),
      size: (key, signal) => storage.size(key, signal),
      list: (prefix, signal) => storage.list(prefix, signal),
      listFolder: (prefix, signal) => storage.listFolder(prefix, signal),
      check: (signal) => storage.check(signal),
      close: () => storage.close(),
    };
  }
}

/** A key without the uuid in it, so that a point has the same name in every run: `backups/manifest.json`. */
function nameOf(key: string): string {
  const [root = "", , ...file] = key.split("/");
  return [root, file[0]?.endsWith(".json") === true || file.length < 2 ? file.join("/") : (file[0] ?? "")].join("/");
}
