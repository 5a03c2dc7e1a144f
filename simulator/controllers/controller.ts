import type { Change } from "../objects/object-store.ts";
import type { ObjectKey } from "../objects/kubernetes-object.ts";

/** Moves the cluster towards what its objects ask for, a key at a time. */
export interface Controller {
  /** The keys that must be looked at after a change. */
  concerns(change: Change): Iterable<ObjectKey>;
  /** Looks at what a key names, which may be gone, and does what is missing. May run at any time. */
  reconcile(key: ObjectKey): void;
}
