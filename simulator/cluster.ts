import { ObjectStore } from "./object-store.ts";
import { Registry } from "./registry.ts";
import { VolumeData } from "./volume-data.ts";

/** The simulated cluster's state: what the API and the controllers work on. */
export class Cluster {
  readonly store = new ObjectStore();
  readonly registry = new Registry();
  readonly data = new VolumeData();
}
