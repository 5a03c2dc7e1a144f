import { ObjectStore } from "./objects/object-store.ts";
import { Programs } from "./programs.ts";
import { Registry } from "./objects/registry.ts";
import { VolumeData } from "./volumes/volume-data.ts";

/** The simulated cluster's state: what the API and the controllers work on. */
export class Cluster {
  readonly store = new ObjectStore();
  readonly registry = new Registry();
  readonly data = new VolumeData();
  readonly programs = new Programs();
  /** What Pod Security judges pods by in a namespace without its label. */
  podSecurityDefault = "privileged";
}
