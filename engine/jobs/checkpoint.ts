import { DrsError } from "../errors.ts";
import type { JobPhase } from "../model.ts";
import type { JobNotes } from "./phase.ts";

/** A phase has run, as the job's row says, and what it handed on is not there. */
export class MissingCheckpointError extends DrsError {
  override readonly name = "MissingCheckpointError";

  constructor(name: string) {
    super("INTERNAL", `the job's checkpoint ${name} is missing: report it, and start the job again`);
  }
}

/** The record that one phase of a kind of job hands to later ones, written whole by that phase. */
export class Checkpoint<Record extends object> {
  readonly #name: string;
  readonly #key: string;

  /** `name`: where the phase writes more than one, at different times. */
  constructor(phase: JobPhase | "GOING_BACK", name?: string) {
    this.#name = name === undefined ? phase : `${phase}/${name}`;
    this.#key = `checkpoint/${this.#name}`;
  }

  /** Durable when it returns; a later run of the phase overwrites it. */
  write({ notes }: { readonly notes: Pick<JobNotes, "set"> }, record: Record): void {
    notes.set(this.#key, record);
  }

  /**
   * MissingCheckpointError when the phase has not written it: to go on without it would be to take what is not known for
   * nothing.
   */
  read(context: { readonly notes: Pick<JobNotes, "get"> }): Record {
    const record = this.find(context);
    if (record === undefined) throw new MissingCheckpointError(this.#name);
    return record;
  }

  /** Undefined when the phase has not come so far. */
  find({ notes }: { readonly notes: Pick<JobNotes, "get"> }): Record | undefined {
    return notes.get<Record>(this.#key);
  }
}
