import { Checkpoint } from "../jobs/checkpoint.ts";

/** What PRE_VALIDATION has saved for the way back. */
export const savedForSafety = new Checkpoint<{
  /** Groups and versions of the API that did not answer meanwhile: what they serve is not in the safety archive. */
  readonly unavailable: readonly string[];
}>("PRE_VALIDATION");
