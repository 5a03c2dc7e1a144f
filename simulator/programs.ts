import type { Pod } from "./objects/kinds.ts";
import type { Files } from "./volumes/volume-data.ts";

/** What a container of a job has come to. */
export interface ProgramState {
  /** Undefined while it runs. */
  readonly exitCode?: number;
  /** All that it has written. */
  readonly log: readonly string[];
}

/** Does what the container of a job's pod would, with the files of its volumes by the volumes' names. Asked again while it runs. */
export type Program = (pod: Pod, volumes: ReadonlyMap<string, Files>) => ProgramState;

/** What the pods of jobs run: nothing, which ends well, unless a test says so. */
export class Programs {
  program: Program = () => ({ exitCode: 0, log: [] });
  /** By the uid of their pods. */
  readonly logs = new Map<string, readonly string[]>();
}
