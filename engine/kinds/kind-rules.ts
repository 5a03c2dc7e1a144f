import type { RestoringRules } from "./restoring-rules.ts";
import type { SavingRules } from "./saving-rules.ts";

/**
 * The rules for one kind of object. A kind without a rule is handled like an unknown custom resource: it is saved
 * as it is, and restored as it was saved but for the metadata that the API server sets.
 *
 * Rules know the object and nothing of the job. They change none of their arguments, unless they say so.
 */
export interface KindRules extends SavingRules, RestoringRules {
  /** The resource's name across versions: `jobs.batch`. */
  readonly name: string;
}
